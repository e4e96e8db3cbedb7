import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { checkSend } from '../../actors/session-messages.js';
import { createRegistrar, initialize, type ServiceAccessPoint } from '../../index.js';
import { quickTimers, rfcTimers } from '../../machines/timers.js';

const sections = new Map(readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8').split(/^## /m).slice(1).map((text) => {
  const [title = '', ...lines] = text.split('\n');
  return [title, lines] as const;
}));
/** The names in the first column of a section's first table. */
const listed = (section: string): string[] => {
  const lines = sections.get(section) ?? [];
  const from = lines.findIndex((line) => line.startsWith('| ---'));
  const rows = lines.slice(from + 1);
  return rows.slice(0, rows.findIndex((line) => !line.startsWith('|'))).flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')).sort();
};
/** The options that a call says there are when it is given another one. */
const taken = async (call: (options: object) => Promise<unknown>): Promise<string[]> => {
  const error = await call({ nonsense: 1 }).then(() => undefined, (reason: unknown) => reason as Error & { code: string });
  expect(error?.code).toBe('INVALID_OPTION');
  return (/there are (.*)$/.exec(error?.message ?? '')?.[1] ?? '').split(', ').sort();
};

describe('docs/options.md', () => {
  let rsp: ServiceAccessPoint | undefined;
  const accessPoint = async (): Promise<ServiceAccessPoint> => (rsp ??= await initialize({ registrars: ['tcp://127.0.0.1:1'] }));
  afterAll(async () => { await rsp?.close(); });

  it.each([
    ['initialize', async (options: object) => initialize(options as never)],
    ['register', async (options: object) => (await accessPoint()).register('p', options, () => undefined)],
    ['connect', async (options: object) => (await accessPoint()).connect('p', options)],
    ['send', async (options: object) => checkSend('data', options, { messages: 1, bytes: 100 })],
    ['request', async (options: object) => checkSend('data', options, { messages: 1, bytes: 100 }, 'request')],
    ['rsp.send', async (options: object) => (await accessPoint()).send('p', 'data', options)],
    ['createRegistrar', async (options: object) => createRegistrar(options)],
  ] as const)('lists what %s takes', async (name, call) => {
    expect(listed(name)).toEqual(await taken(call));
  });

  it('lists every timer with its values', () => {
    const rows = (sections.get('Timers') ?? []).flatMap((line) => {
      const [, name, quick, rfc] = /^\| `(\w+)` \| (\S+) \| (\S+) \|/.exec(line) ?? [];
      return name === undefined ? [] : [[name, [numberOf(quick), numberOf(rfc)]] as const];
    });
    const names = Object.keys(quickTimers) as (keyof typeof quickTimers)[];
    expect(rows).toEqual(names.map((name) => [name, [quickTimers[name], rfcTimers[name]]]));
  });
});

const numberOf = (text = ''): number => text.split('/').map(Number).reduce((value, divisor) => value / divisor);
