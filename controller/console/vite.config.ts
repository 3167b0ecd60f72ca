import { defineConfig } from 'vite';

// Preact's own JSX, by the compiler; nothing inline and nothing from elsewhere, because the pages' policy forbids both.
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { target: 'es2022', outDir: 'dist', assetsDir: 'assets', assetsInlineLimit: 0, modulePreload: { polyfill: false },
    reportCompressedSize: true, sourcemap: false },
});
