import { formatAddress, parseAddress } from '../../transports/address.js';

describe('transport addresses', () => {
  it.each([
    ['tcp://127.0.0.1:3863', { scheme: 'tcp', host: '127.0.0.1', port: 3863 }],
    ['tcp://registrar-1.example.org:0', { scheme: 'tcp', host: 'registrar-1.example.org', port: 0 }],
    ['tcp://[::1]:65535', { scheme: 'tcp', host: '::1', port: 65_535 }],
    ['tcp://[fe80::1%eth0]:80', { scheme: 'tcp', host: 'fe80::1%eth0', port: 80 }],
    ['tcp://_under.score.:80', { scheme: 'tcp', host: '_under.score.', port: 80 }],
  ])('%s', (address, parsed) => {
    expect(parseAddress(address, ['tcp'])).toEqual(parsed);
    expect(formatAddress(parsed.scheme, parsed.host, parsed.port)).toBe(address);
  });

  it.each([undefined, null, 7, {}, 'tcp:127.0.0.1:1', 'tcp://a b:1', 'tcp://1.2.3:1', 'tcp://1.2.3.400:1', 'tcp://::1:1', 'tcp://h:-1', 'tcp://h:1e3', 'tcp://h:1?x', 'tcp://h:100000',
    'tcp://.:1', 'tcp://a..b:1', 'tcp://[127.0.0.1]:1', ` tcp://h:1`, 'tcp://h:1\n', `tcp://${'a'.repeat(64)}:1`, `tcp://${'a'.repeat(100_000)}:1`])('%p is none', (address) => {
    expect(() => parseAddress(address as string, ['tcp'])).toThrow(expect.objectContaining({ name: 'UsageError', code: 'INVALID_URL' }));
  });

  it('says which schemes there are', () => {
    expect(() => parseAddress('http://h:1', ['tcp', 'memory'])).toThrow('the scheme is none of tcp, memory');
  });
});
