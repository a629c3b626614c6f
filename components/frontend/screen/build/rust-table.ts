// A plugin that compresses each file of the build and lists all files in a table for the component `frontend`.

import { readdirSync, readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const MEDIA_TYPES: Record<string, string> = { html: 'HTML', js: 'SCRIPT', css: 'STYLE', txt: 'TEXT' };

export function rustTable(path: string): Plugin {
  return {
    name: 'rust-table',
    apply: 'build',
    writeBundle({ dir }) {
      if (!dir) throw new Error('the build has no output folder');
      const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => /\.\w+$/.test(name)).sort();
      for (const file of files) compress(join(dir, file));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, table(files));
    },
  };
}

function compress(path: string) {
  const content = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  writeFileSync(`${path}.br`, brotliCompressSync(content, { params }));
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
}

/** The table in the layout of rustfmt. */
function table(files: string[]): string {
  const types = new Set(files.map(mediaType));
  return `//! The files of the screen. \`npm run build\` in \`components/frontend/screen\` writes this table: do not edit it.

use super::{Asset, ${[...types].sort().join(', ')}, built};

pub(super) static SCREEN: [Asset; ${files.length}] = [
${files.map(row).join('')}];
`;
}

/** One line if the arguments have 60 characters at most. */
function row(file: string): string {
  const fields = [`"${path(file)}"`, `"${file}"`, mediaType(file)];
  const line = fields.join(', ');
  return line.length <= 60 ? `    built!(${line}),\n` : `    built!(\n        ${fields.join(',\n        ')}\n    ),\n`;
}

const path = (file: string) => (file === 'index.html' ? '/' : `/${file}`);

function mediaType(file: string): string {
  const type = MEDIA_TYPES[file.slice(file.lastIndexOf('.') + 1)];
  if (!type) throw new Error(`${file}: a file of a kind that the component does not serve`);
  return type;
}
