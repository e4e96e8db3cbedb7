import { nodeClock, nodeNetwork } from '../../transports/node.js';
import { createTcpTransport } from '../../transports/tcp.js';
import { recordingLogger, type LogEntry } from '../support/world.js';
import { Changes, describeTransport, freePort, type TransportWorld } from './compliance.js';

describeTransport('tcp on node:net', () => realWorld('127.0.0.1'));

function realWorld(host: string): TransportWorld {
  const log: LogEntry[] = [];
  const changes = new Changes();
  const transport = (name: string) => createTcpTransport({ network: nodeNetwork, clock: nodeClock, logger: recordingLogger(name, log) });
  return {
    scheme: 'tcp',
    client: transport('client'),
    server: transport('server'),
    host,
    clientNetwork: nodeNetwork,
    log,
    patience: 50,
    changed: changes.changed,
    until: (condition) => changes.until(condition),
    turn: () => new Promise((resolve) => void setImmediate(resolve)),
    closedPort: () => freePort(nodeNetwork, host),
  };
}
