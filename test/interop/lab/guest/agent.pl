#!/usr/bin/perl
# Runs commands in a guest for the host: agent.pl ADDRESS PORT. The other end is ../agent.ts. When the agent ends, the guest does.
# One TCP connection a command. In: 4 bytes of length, so much text for the shell, then frames: i = standard input (empty: its end).
# Out: frames: p = its process group, o and e = what it writes, x = its exit status. A frame: type (1 byte), length (4), data.
# When the caller goes away the command is ended.
use strict; use warnings;
use IO::Socket::INET; use IO::Select; use POSIX ':sys_wait_h';
my ($address, $port) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Listen => 50, ReuseAddr => 1) or die "listen: $!";
while (1) {
   1 while waitpid(-1, WNOHANG) > 0; # also orphans: this is PID 1
   next unless IO::Select->new($server)->can_read(1);
   my $caller = $server->accept or next;
   my $pid = fork // next;
   if ($pid == 0) { close $server; serve($caller); exit 0 }
   close $caller;
}

sub serve {
   my $caller = shift;
   $caller->setsockopt(6, 1, 1); # TCP_NODELAY
   my $text = take($caller, unpack 'N', take($caller, 4));
   pipe(my $in, my $to_in); pipe(my $from_out, my $out); pipe(my $from_err, my $err);
   my $pid = fork // return;
   if ($pid == 0) {
      POSIX::setsid();
      open(STDIN, '<&', $in); open(STDOUT, '>&', $out); open(STDERR, '>&', $err);
      close $_ for $caller, $in, $to_in, $from_out, $out, $from_err, $err;
      { exec '/bin/bash', '-c', $text }
      POSIX::_exit(127);
   }
   close $_ for $in, $out, $err;
   $SIG{PIPE} = 'IGNORE';
   put($caller, 'p', $pid);
   my $sources = IO::Select->new($caller, $from_out, $from_err);
   my ($open, $status, $input) = (2, undef, '');
   while ($open > 0) {
      my @ready = $sources->can_read(0.2);
      for my $source (@ready) {
         my $count = sysread($source, my $bytes, 65536);
         if ($source == $caller) {
            return stop($pid) unless $count;
            $input .= $bytes;
            while (length $input >= 5 && length $input >= 5 + unpack 'x N', $input) {
               my $data = unpack 'x N/a', $input;
               substr($input, 0, 5 + length $data) = '';
               if (length $data) { syswrite($to_in, $data) if $to_in } elsif ($to_in) { close $to_in; undef $to_in }
            }
         }
         elsif ($count) { put($caller, $source == $from_out ? 'o' : 'e', $bytes) or return stop($pid) }
         else { $sources->remove($source); close $source; $open-- }
      }
      $status = $? if !defined $status && waitpid($pid, WNOHANG) == $pid;
      last if defined $status && !@ready; # what it left behind may hold the pipes for ever
   }
   if (!defined $status) { waitpid($pid, 0); $status = $? }
   put($caller, 'x', ($status & 127) ? 128 + ($status & 127) : $status >> 8);
}

sub take {
   my ($from, $count) = @_; my $all = '';
   while (length $all < $count) { sysread($from, $all, $count - length $all, length $all) or exit 1 }
   return $all;
}
sub put {
   my ($to, $type, $data) = @_; my $frame = $type . pack('N/a', $data); my $done = 0;
   while ($done < length $frame) { $done += syswrite($to, $frame, length($frame) - $done, $done) || return 0 }
   return 1;
}
sub stop { # asked first, then forced
   my $pid = shift;
   kill 'TERM', -$pid;
   for (1 .. 20) { select(undef, undef, undef, 0.1); return if waitpid($pid, WNOHANG) == $pid }
   kill 'KILL', -$pid;
   waitpid($pid, 0);
}
