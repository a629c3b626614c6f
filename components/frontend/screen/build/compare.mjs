// Compares two builds of the screen: `node compare.mjs COMMITTED BUILT`. Prints each file that differs, and exits with 1 if
// there is one. Of a compressed file, the content is compared: versions of Node.js may compress differently.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

const [committed, built] = process.argv.slice(2);

function contentOf(path) {
  if (!existsSync(path)) return undefined;
  const bytes = readFileSync(path);
  if (path.endsWith('.br')) return brotliDecompressSync(bytes);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

const namesIn = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1));

const names = new Set(['assets/screen', 'src/asset'].flatMap((folder) => [committed, built].flatMap((root) => namesIn(join(root, folder)).map((name) => join(folder, name)))));
const different = [...names].sort().filter((name) => {
  const [one, other] = [committed, built].map((root) => contentOf(join(root, name)));
  return !one || !other || !one.equals(other);
});
for (const name of different) console.log(name);
process.exitCode = different.length ? 1 : 0;
