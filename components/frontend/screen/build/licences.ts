// A plugin that adds the licences of all packages in the build, as they demand, to its files.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const NAMES = ['LICENSE', 'LICENSE.md', 'license'];

export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
      const folders = new Set(modules.flatMap((module) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(module.replaceAll('\\', '/'))?.[0] ?? []));
      const source = [...folders].map(licenceOf).sort().join('\n');
      this.emitFile({ type: 'asset', name: 'licences.txt', source });
    },
  };
}

function licenceOf(folder: string): string {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string };
  const file = NAMES.map((each) => join(folder, each)).find(existsSync);
  if (!file) throw new Error(`${name} has no licence`);
  return `${name} ${version}\n\n${readFileSync(file, 'utf8').trim()}\n`;
}
