#!/usr/bin/perl
# The kernel's SCTP at the other end, told what to do line by line; the caller is ../sctp-peer.ts.
#   sctp-peer.pl listen ADDRESS PORT | connect ADDRESS PORT [LOCAL-PORT]
# In:  send PPID STREAM LENGTH [unordered], echo, shutdown, abort
# Out: listening, up PORT, echoing, message PPID STREAM LENGTH intact|garbled, ended, lost REASON
# The bytes of a message of LENGTH are known (sub content): either end can tell whether it is intact.
use strict; use warnings; use Socket; use IO::Select;
use constant { SCTP => 132, INITMSG => 2, NODELAY => 3, DEFAULT_SEND_PARAM => 10, RECVRCVINFO => 32, RECVMSG => 47, EOR => 0x80, RCVINFO => 3 };
$| = 1;
my ($role, $host, $port, $local) = @ARGV;
socket(my $socket, PF_INET, SOCK_STREAM, SCTP) or die "socket: $!";
setsockopt($socket, SCTP, INITMSG, pack 'S4', 16, 64, 0, 0); # streams out, in at most
if ($role eq 'listen') {
   bind($socket, sockaddr_in($port, inet_aton($host))) && listen($socket, 5) or die "listen: $!";
   say_line('listening');
   accept(my $accepted, $socket) or die "accept: $!";
   close $socket;
   $socket = $accepted;
}
else {
   if ($local) { bind($socket, sockaddr_in($local, INADDR_ANY)) or die "bind: $!" }
   connect($socket, sockaddr_in($port, inet_aton($host))) or lost();
}
setsockopt($socket, SCTP, NODELAY, pack 'i', 1) or die "nodelay: $!";
setsockopt($socket, SCTP, RECVRCVINFO, pack 'i', 1) or die "rcvinfo: $!";
say_line('up ' . (sockaddr_in(getsockname $socket))[0]);

my ($echo, $commands, $message) = (0, '', '');
my $sources = IO::Select->new($socket, \*STDIN);
while (1) {
   for my $source ($sources->can_read) {
      if ($source == $socket) { receive(); next }
      my $count = sysread(STDIN, $commands, 4096, length $commands);
      exit 0 unless $count;
      while ($commands =~ s/^(.*)\n//) { obey(split ' ', $1) }
   }
}

sub obey {
   my ($order, $ppid, $stream, $length, $unordered) = @_;
   if ($order eq 'send') { transmit($ppid, $stream, content($length), $unordered ? 1 : 0) }
   elsif ($order eq 'echo') { $echo = 1; say_line('echoing') }
   elsif ($order eq 'shutdown') { shutdown($socket, 1) }
   elsif ($order eq 'abort') { setsockopt($socket, SOL_SOCKET, SO_LINGER, pack 'i i', 1, 0); close $socket; exit 0 }
}
sub transmit {
   my ($ppid, $stream, $bytes, $flags) = @_;
   # struct sctp_sndrcvinfo: stream, ssn, flags, ppid (as it stands on the wire), context, lifetime, tsn, cumulative tsn, association
   setsockopt($socket, SCTP, DEFAULT_SEND_PARAM, pack 'S S S x2 N L L L L l', $stream, 0, $flags, $ppid, 0, 0, 0, 0, 0) or die "parameters: $!";
   syswrite($socket, $bytes) // lost();
}
sub receive {
   my ($data, $control) = ("\0" x 65536, "\0" x 256);
   my $vector = pack 'P Q', $data, length $data;
   my $header = pack 'Q L x4 P Q P Q i x4', 0, 0, $vector, 1, $control, length $control, 0;
   my $count = syscall(RECVMSG, fileno $socket, $header, 0);
   lost() if $count < 0;
   if ($count == 0) { say_line('ended'); close $socket; exit 0 }
   my $flags = unpack 'x48 i', $header;
   $message .= substr $data, 0, $count;
   return unless $flags & EOR;
   my ($level, $type, $stream, $ppid) = unpack 'x8 i i S x2 x4 N', $control; # struct sctp_rcvinfo: stream, ssn, flags, ppid
   my ($whole, $length) = ($message, length $message);
   $message = '';
   say_line("message $ppid $stream $length " . ($whole eq content($length) ? 'intact' : 'garbled'));
   transmit($ppid, $stream, $whole, 0) if $echo;
}
sub content { my $length = shift; my $cycle = pack 'C*', map { ($_ * 7 + $length) % 251 } 0 .. 250; return substr $cycle x (1 + $length / 251), 0, $length }
sub lost { say_line("lost $!"); exit 1 }
sub say_line { print "$_[0]\n" }
