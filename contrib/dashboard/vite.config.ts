import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

// events/types.def as a module (src/types_def.d.ts), so that the page's words are the server's.
const eventTypes: Plugin = {
  name: 'event-types',
  transform(code, id) {
    if (!id.endsWith('/events/types.def')) return undefined;
    const rows = [...code.matchAll(/^BINDCAST_EVENT\((\w+), (\w+),/gm)];
    const table = rows.map(([, type, category]) => ({ type, category }));
    return { code: `export default ${JSON.stringify(table)};`, map: null, moduleType: 'js' };
  },
};

export default defineConfig({
  base: './', // the page may stand behind a proxy, under another path
  plugins: [eventTypes],
  resolve: { alias: { '@bindcast/client': fileURLToPath(new URL('client/src/index.ts', import.meta.url)) } },
  // The least browsers that have all that the page uses (doc/dashboard.md): nothing is rewritten for older ones.
  build: {
    target: ['chrome123', 'firefox128', 'safari17.5'],
    modulePreload: false,
    assetsInlineLimit: 0,
    emptyOutDir: true,
  },
});
