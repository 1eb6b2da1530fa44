import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  base: './', // the page may stand behind a proxy, under another path
  resolve: { alias: { '@bindcast/client': fileURLToPath(new URL('client/src/index.ts', import.meta.url)) } },
  build: { target: 'es2022', modulePreload: false, assetsInlineLimit: 0, emptyOutDir: true },
});
