#!/usr/bin/perl
# insmod.pl MODULE...: loads kernel modules and what they need, by modules.dep (a guest has no modprobe).
use strict; use warnings;
chomp(my $release = `uname -r`);
my $folder = "/usr/lib/uml/modules/$release";
my %needs;
open my $list, '<', "$folder/modules.dep" or die "$folder: $!\n";
while (<$list>) { $needs{$1} = [$1, split ' ', $2] if /^(\S+):\s*(.*)$/ }
for my $name (@ARGV) {
   my ($file) = grep { m{/\Q$name\E\.ko$} } keys %needs or next; # built in
   for my $module (reverse @{$needs{$file}}) {
      open my $handle, '<', "$folder/$module" or die "$module: $!\n";
      my $arguments = '';
      # 313: finit_module on x86-64; 17: EEXIST
      syscall(313, fileno $handle, $arguments, 0) == 0 || $! == 17 || warn "$module: $!\n";
   }
}
