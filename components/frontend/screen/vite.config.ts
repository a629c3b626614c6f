// The build of the screen. It writes the files that the component `frontend` contains, and the table that names them.
//
//   npm run build                     writes ../assets/screen/ and ../src/asset/screen.rs
//   SCREEN_OUTPUT=DIR npm run build   writes DIR/assets/screen/ and DIR/src/asset/screen.rs
//   npm run dev                       serves the sources; the API is that of SOCAR_URL

import { resolve } from 'node:path';
import { defineConfig } from 'vite';
import { licences } from './build/licences.ts';
import { rustTable } from './build/rust-table.ts';

const output = resolve(import.meta.dirname, process.env.SCREEN_OUTPUT ?? '..');
const platform = process.env.SOCAR_URL ?? 'http://127.0.0.1:3000';
const api = ['/cars', '/reservations', '/payments', '/messages', '/carviews', '/operations', '/identity', '/readyz', '/assets/icon.svg'];

export default defineConfig({
  plugins: [licences(), rustTable(resolve(output, 'src/asset/screen.rs'))],
  build: {
    outDir: resolve(output, 'assets/screen'),
    emptyOutDir: true,
    target: ['chrome123', 'firefox128', 'safari17.5'],
    // The content security policy forbids inline scripts and data: URLs.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/screen-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: { proxy: Object.fromEntries(api.map((path) => [path, { target: platform, changeOrigin: false }])) },
});
