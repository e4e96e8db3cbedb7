/** What an option of each kind may not be: another type, out of range, or empty. `undefined` counts as not given and is not among them. */
const other = { text: 'x', number: 7, nothing: null, yes: true, list: [], object: {}, run: () => undefined, symbol: Symbol('x'), big: 1n, notANumber: NaN } as const;
const but = (...names: readonly (keyof typeof other)[]): unknown[] => Object.entries(other).filter(([name]) => !names.includes(name as keyof typeof other)).map(([, value]) => value);

const noAddress = ['', 'localhost', 'tcp://', 'tcp://h', 'tcp://h:', 'tcp://h:65536', 'tcp://h:-1', 'tcp://h:1x', 'tcp://[::1', 'tcp://a b:1', 'tcp://:1', '://h:1'];

export const wrong = {
  string: but('text'),
  strings: [...but('list'), [7], ['x', null]],
  stringsNotEmpty: [...but(), [7], ['x', null]],
  boolean: but('yes'),
  function: but('run'),
  delay: [...but('number'), 0, -1, Infinity, -Infinity, 2 ** 31],
  delayOrForever: [...but('number'), 0, -1, 999, -Infinity],
  u32: [...but('number'), -1, 1.5, 2 ** 32, Infinity],
  stream: [...but('number'), -1, 1.5, 16, Infinity],
  count: [...but('number'), 0, -1, 1.5, 2 ** 60],
  fraction: [...but('number'), 7, -0.1, 1.1, Infinity],
  load: [...but('number', 'run'), 7, -0.1, 1.1, Infinity],
  signal: [...but(), new AbortController(), new Event('abort')],
  logger: [...but(), { debug: other.run, info: other.run, warn: other.run }],
  choice: [...but(), '', 'effectively_once', 'constructor', ['tcp']],
  object: [...but('object'), { nonsense: 1 }],
  objectOrBoolean: [...but('object', 'yes'), { nonsense: 1 }],
  cookieKeys: [...but('list'), [7], [null], [{ id: 'a' }], [{ id: '', key: Buffer.alloc(16) }], [{ id: 'k'.repeat(256), key: Buffer.alloc(16) }], [{ id: 'a', key: Buffer.alloc(15) }], [{ id: 'a', key: 'x'.repeat(32) }], [{ id: 'a', key: Buffer.alloc(16) }, { id: 'a', key: Buffer.alloc(32) }]],
  liveness: [...but('object'), 'thread', { nonsense: 1 }, { port: -1 }, { port: 65_536 }, { port: 'x' }, { bound: 0 }, { bound: Infinity }],
  policy: [...but(), 'round-robin', { policy: 'best' }, { policy: 'toString' }, { policy: 7 }, { policy: 'weighted-random' }, { policy: 'least-used', load: -1 }, { policy: 'least-used', load: '1' }],
  mappings: [...but(), [7], [null], [[]], [{}], [{ mapping: 'udp' }], [{ mapping: 'none' }], [{ mapping: 'tcp', address: 'tcp://h:1' }], [{ mapping: 'tcp', listen: ['tcp://0.0.0.0:0'] }]],
  /** Of Basic Mode: any scheme will do. */
  anyAddress: [...but(), ...noAddress],
  address: [...but(), ...noAddress, 'http://h:1'],
} as const;
