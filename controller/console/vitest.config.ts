import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// The integration tests' own reading of the wire is the second opinion here; it finds its one library in this folder.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], environment: 'node', alias: {
    protobufjs: fileURLToPath(new URL('node_modules/protobufjs/index.js', import.meta.url)) } },
});
