import { freePorts } from './ports.js';

export const transports = ['tcp', 'sctp'] as const;
export type DemoTransport = (typeof transports)[number];

/** Where the demo's processes are. On TCP a port each; on SCTP an address each of the loopback network, since a host's UDP port 9899 is that of one process (docs/sctp.md). */
export interface Places {
  registrar(index: number): { readonly asap: string; readonly enrp: string };
  /** Where an element listens, for users and for registrars. */
  element(index: number): string;
}

export async function placesFor(transport: DemoTransport, registrars: number): Promise<Places> {
  if (transport === 'tcp') {
    const ports = await freePorts(2 * registrars);
    return { registrar: (index) => ({ asap: tcp(ports[2 * index] ?? 0), enrp: tcp(ports[2 * index + 1] ?? 0) }), element: () => tcp(0) };
  }
  const network = `127.${1 + random(254)}.${random(256)}`; // one of its own for each demo that runs
  const at = (host: number, port: number): string => `sctp+udp://${network}.${host}:${port}`;
  return { registrar: (index) => ({ asap: at(1 + index, 3863), enrp: at(1 + index, 9901) }), element: (index) => at(100 + index, 0) };
}

const tcp = (port: number): string => `tcp://127.0.0.1:${port}`;
const random = (below: number): number => Math.floor(Math.random() * below);
