import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const root = new URL('../../', import.meta.url);
const documents = [...readdirSync(root), ...readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`)].filter((name) => name.endsWith('.md'));
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8').replace(/```[\s\S]*?```/g, '');
/** As GitHub makes them of headings. */
const anchors = (name: string): string[] => [...read(name).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));

describe('links between the documents', () => {
  it.each(documents)('%s', (name) => {
    const broken = [...read(name).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? new URL(name, root) : new URL(path, new URL(name, root));
      if (!existsSync(file)) return true;
      return anchor !== undefined && !anchors(decodeURIComponent(file.pathname).slice(decodeURIComponent(root.pathname).length)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});
