#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { decodeCommand } from './decode.js';
import { demoCommand } from './demo/demo.js';
import { diagramCommand } from './diagram.js';
import { dumpCommand } from './dump.js';
import { failWith } from './fail.js';
import { registrarCommand } from './registrar.js';
import { removeCommand } from './remove.js';
import { serveCommand } from './serve.js';
import { terminalCommand } from './terminal.js';

const { version } = createRequire(import.meta.url)('rserpool/package.json') as { version: string };

const program = new Command('rserpool')
  .description('Reliable Server Pooling: sessions that survive their servers (RFC 5351 to 5356)')
  .version(version)
  .helpCommand(false)
  .showHelpAfterError('(--help says more)');
const commands = [registrarCommand(), serveCommand(), terminalCommand(), dumpCommand(), removeCommand(), demoCommand(), diagramCommand(), decodeCommand()];
for (const command of commands) {
  program.addCommand(command.copyInheritedSettings(program));
}
for (const command of [program, ...program.commands]) command.exitOverride();
program.addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong use.');

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2); // commander has said what is wrong
  failWith(error);
});
