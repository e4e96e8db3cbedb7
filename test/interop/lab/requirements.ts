import { existsSync, statSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { delimiter, join } from 'node:path';

/** What the lab needs of a machine: Debian packages, root, and a device. It installs nothing. */

/** Debian package, and the programs of it that are used. perl-base, util-linux, coreutils and bash are on every Debian. */
const packages: Readonly<Record<string, readonly string[]>> = {
  'user-mode-linux': ['linux.uml'],
  'rsplib-registrar': ['rspregistrar'],
  'rsplib-services': ['pingpongclient'],
  'rsplib-tools': ['rspserver', 'rspterminal', 'hsdump'],
  iproute2: ['ip'],
  nftables: ['nft'],
  tshark: ['tshark', 'dumpcap'],
};
export const packageNames: readonly string[] = Object.keys(packages);

/** Exit codes of `npm run test:interop`, beside 0 and 1. */
export const MISSING_PACKAGES = 3;
export const UNFIT_MACHINE = 4;

export interface Unfit {
  readonly code: typeof MISSING_PACKAGES | typeof UNFIT_MACHINE;
  readonly why: string;
}

export interface Machine {
  /** `linux x64` */
  readonly system: string;
  readonly isRoot: boolean;
  readonly hasTun: boolean;
  /** Whether a program is there. */
  has(program: string): boolean;
}

/** Why the lab cannot run here; undefined where it can. */
export function whyNot(machine: Machine = thisMachine()): Unfit | undefined {
  const unfit = unfitness(machine);
  if (unfit !== undefined) return { code: UNFIT_MACHINE, why: unfit };
  const lacking = packageNames.filter((name) => packages[name]?.some((program) => !machine.has(program)));
  if (lacking.length === 0) return undefined;
  return { code: MISSING_PACKAGES, why: `Debian packages are missing. As root: apt-get update && apt-get install -y --no-install-recommends ${lacking.join(' ')}` };
}

function unfitness({ system, isRoot, hasTun, has }: Machine): string | undefined {
  if (system !== 'linux x64') return `user-mode Linux needs Linux on x86-64; this is ${system}`;
  if (!isRoot) return 'it needs root: network namespaces and tap devices';
  if (!hasTun) return 'there is no /dev/net/tun: it needs tap devices (in a container: --device /dev/net/tun --privileged)';
  const tool = ['unshare', 'setpriv', 'perl', 'bash', 'stdbuf'].find((name) => !has(name));
  return tool === undefined ? undefined : `there is no ${tool}: is this Debian or one of its kin?`;
}

function thisMachine(): Machine {
  // PATH of a login may lack the folders of the superuser's programs
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return {
    system: `${platform()} ${arch()}`,
    isRoot: process.getuid?.() === 0,
    hasTun: statSync('/dev/net/tun', { throwIfNoEntry: false })?.isCharacterDevice() ?? false,
    has: (program) => folders.some((folder) => existsSync(join(folder, program))),
  };
}
