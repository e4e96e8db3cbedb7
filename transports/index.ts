export { formatAddress, parseAddress, type ParsedAddress } from './address.js';
export { LoopMonitor, type LoopMonitorOptions } from './loop-monitor.js';
export { MemoryNetwork, type MemoryNetworkOptions, type NetworkEvent, type PathOptions } from './memory.js';
export { MemoryHost } from './memory-host.js';
export type { ByteServer, ByteSocket, DatagramBinding, DatagramNetwork, DatagramSocket, Endpoint, Network, NetworkError } from './network.js';
export { nodeClock, nodeDatagrams, nodeNetwork, nodeRandom, nodeTimeOfDay } from './node.js';
export { createTcpTransport, type TcpTransportOptions } from './tcp.js';
export type { ConnectOptions, Link, LinkHandler, LinkOptions, Listener, ListenOptions, Transport, TransportAddress } from './transport.js';
