import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { killAll, rserpool, startRegistrar, startTerminal, type Program } from '../support/processes.js';

afterEach(killAll);

const PATIENCE = 60_000;
const directory = mkdtempSync(join(tmpdir(), 'rserpool-keys-'));
afterAll(() => { rmSync(directory, { recursive: true }); });
const keyFile = (name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};
const k1 = `k1:${'01'.repeat(32)}`;
const k2 = `k2:${'02'.repeat(32)}`;

describe('serve --cookie-key-file (D-26)', () => {
  const start = async (id: string, registrar: string, ...more: string[]): Promise<Program> => {
    const element = rserpool('serve', 'counter', '--pool', 'counter', '--registrar', registrar, '--id', id, ...more);
    await element.out(/^counter serves/);
    return element;
  };

  it('a session moves to elements with its key only; SIGHUP reads the file again', async () => {
    const { address: registrar } = await startRegistrar();
    const file = keyFile('keys', `# what signs\n${k1}\n`);
    const first = await start('0x0000000a', registrar, '--cookie-key-file', file);
    const { terminal } = await startTerminal('counter', registrar);
    terminal.say('x');
    await terminal.out(/^1 x$/);
    const other = keyFile('other', `${k2}\n`);
    const second = await start('0x0000000b', registrar, '--cookie-key-file', other);
    first.kill('SIGKILL');
    await second.err(/the cookie is signed with key \\?"k1\\?", which this pool element does not have/);
    keyFile('other', `${k2}\n${k1} # until all have k2\n`);
    second.kill('SIGHUP');
    await second.out(/^cookie keys read again: k2, k1$/);
    await terminal.err(/^# moved from 0x0000000a to 0x0000000b/);
    terminal.say('y');
    await terminal.out(/^2 y$/);
    keyFile('other', 'nonsense');
    second.kill('SIGHUP');
    await second.err(/^rserpool: cookie keys stay as they were: .*other, line 1: id:hexadecimal is wanted$/);
    terminal.say('z');
    await terminal.out(/^3 z$/);
    expect([...first.said, ...second.said].join('\n')).not.toMatch(/(01|02){8}/);
  }, PATIENCE);

  it('without keys there is one warning, with the first cookie', async () => {
    const { address: registrar } = await startRegistrar();
    const element = await start('0x0000000a', registrar);
    const { terminal } = await startTerminal('counter', registrar);
    for (const count of [1, 2, 3]) {
      terminal.say('x');
      await terminal.out(new RegExp(`^${count} x$`));
    }
    expect(element.errors.filter((line) => line.includes('not signed'))).toHaveLength(1);
  }, PATIENCE);

  it.each([
    ['that is not there', undefined, /cannot read .*: ENOENT/],
    ['without a key', '# later\n', /has no keys; a line like k1:/],
    ['with a short key', 'k1:0102\n', /line 1: a key has 16 bytes at least/],
    ['with something else', `${k1}\nk2=abcd\n`, /line 2: id:hexadecimal is wanted/],
    ['with an id twice', `${k1}\n${k1}\n`, /has the id "k1" twice/],
  ])('a file %s is wrong use, in one line that shows no key', async (_what, text, line) => {
    const file = text === undefined ? join(directory, 'missing') : keyFile('wrong', text);
    const element = rserpool('serve', 'counter', '--pool', 'p', '--registrar', 'tcp://127.0.0.1:1', '--cookie-key-file', file);
    expect(await element.ended).toEqual({ code: 2, signal: null });
    expect(element.said).toMatchObject([expect.stringMatching(line)]);
    expect(element.said.join()).not.toMatch(/0101|abcd/);
  }, PATIENCE);
});
