// The integration tests' own modules, which have no types.
declare module '*.mjs';
