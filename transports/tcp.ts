import { silentLogger, type Clock, type Logger } from '../environment.js';
import { TransportError, type TransportErrorCode } from '../errors.js';
import { formatAddress, parseAddress, type ParsedAddress } from './address.js';
import { BufferPool } from './outbox.js';
import type { ByteServer, ByteSocket, Network, NetworkError } from './network.js';
import { SocketLink, type LinkWorld } from './socket-link.js';
import type { Link, LinkHandler, ListenOptions, Listener, Transport } from './transport.js';

export interface TcpTransportOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** The scheme of its addresses; default `tcp`. */
  readonly scheme?: string;
}

/** Frames over streams of bytes: `node:net`, or a simulated network. */
export function createTcpTransport({ network, clock, logger = silentLogger, scheme = 'tcp' }: TcpTransportOptions): Transport {
  const schemes = [scheme];
  const world: LinkWorld = { clock, logger, scheme, pool: new BufferPool() };
  return {
    schemes,
    connect(address, handler, options) {
      const to = parseAddress(address, schemes);
      return SocketLink.connecting(world, network.connect(to), to, handler, options);
    },
    async listen(address, accept, options) {
      const at = parseAddress(address, schemes);
      const door = new Door(world, at, accept, options);
      const server = await network.listen(at, (socket) => door.admit(socket)).catch((error: NetworkError) => {
        throw listenError(error, address);
      });
      return listener(formatAddress(scheme, at.host, server.port), server);
    },
  };
}

const listener = (address: string, server: ByteServer): Listener => {
  let closed: Promise<void> | undefined;
  return { address, close: () => (closed ??= server.close()) };
};

/** Lets links in, as many at once as are allowed. */
class Door {
  #links = 0;
  #refused = 0;

  constructor(
    private readonly world: LinkWorld,
    private readonly at: ParsedAddress,
    private readonly accept: (link: Link) => LinkHandler,
    private readonly options: ListenOptions,
  ) {}

  admit(socket: ByteSocket): void {
    if (this.#links >= (this.options.maxLinks ?? DEFAULT_MAX_LINKS)) return this.#refuse(socket);
    this.#links += 1;
    SocketLink.accepted(this.world, socket, this.accept, this.options, () => this.#left());
  }

  #left(): void {
    this.#links -= 1;
    if (this.#refused === 0) return;
    this.world.logger.warn({ code: 'TOO_MANY_LINKS', at: this.#address, refused: this.#refused }, 'links are accepted again');
    this.#refused = 0;
  }

  /** The log tells the first one, and how many there were when it is over. */
  #refuse(socket: ByteSocket): void {
    socket.on('error', () => undefined);
    socket.destroy();
    this.#refused += 1;
    if (this.#refused > 1) return;
    const peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    this.world.logger.warn({ code: 'TOO_MANY_LINKS', at: this.#address, peer, links: this.#links }, 'too many links: refused');
  }

  get #address(): string {
    return formatAddress(this.world.scheme, this.at.host, this.at.port);
  }
}

const DEFAULT_MAX_LINKS = 10_000;

function listenError(error: NetworkError, address: string): TransportError {
  const code: TransportErrorCode = error.code === 'EADDRINUSE' ? 'ADDRESS_IN_USE' : error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN' ? 'LOOKUP_FAILED' : 'LISTEN_FAILED';
  const why = code === 'ADDRESS_IN_USE' ? 'the port is in use' : (error.code ?? error.message);
  return new TransportError(code, `cannot listen on ${address}: ${why}`, { cause: error });
}
