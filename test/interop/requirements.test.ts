import { describe, expect, it } from '@jest/globals';
import { MISSING_PACKAGES, packageNames, UNFIT_MACHINE, whyNot, type Machine } from './lab/requirements.js';

const fit: Machine = { system: 'linux x64', isRoot: true, hasTun: true, has: () => true };

describe('what the lab needs of a machine (npm run test:interop)', () => {
  it('is nothing more where all is there', () => {
    expect(whyNot(fit)).toBeUndefined();
  });

  it('is said, with a code of its own, where the machine cannot', () => {
    for (const [part, word] of [[{ system: 'darwin arm64' }, 'darwin arm64'], [{ isRoot: false }, 'root'], [{ hasTun: false }, '/dev/net/tun'], [{ has: (name: string) => name !== 'setpriv' }, 'setpriv']] as const) {
      expect(whyNot({ ...fit, ...part })).toEqual({ code: UNFIT_MACHINE, why: expect.stringContaining(word) });
    }
  });

  it('is the very command that installs the packages which are missing', () => {
    const lacking = whyNot({ ...fit, has: (name) => name !== 'hsdump' && name !== 'nft' });
    expect(lacking).toEqual({ code: MISSING_PACKAGES, why: expect.stringMatching(/apt-get update && apt-get install -y --no-install-recommends rsplib-tools nftables$/) });
    expect(packageNames).toEqual(expect.arrayContaining(['user-mode-linux', 'rsplib-registrar', 'rsplib-services', 'rsplib-tools', 'tshark']));
  });
});
