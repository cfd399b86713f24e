#!/usr/bin/env perl
# Lists what C calls, and what has a fence, from the sources: panics-inventory.pl ROOT
#
# A line is "entry MODULE::FUNCTION yes|no FILE:LINE" for each `extern "C"` function and each method that GObject calls,
# with whether a fence stands in it; "fence …" for any other function that has one; "symbol NAME ARGUMENTS 0|1" for each
# function of the C library, with whether it has a GError **.

use strict;
use warnings;

my $root = shift // '.';
chdir $root or die "no $root\n";

# What one of these is called in is in a fence, or is one that calls somebody's code.
my $fence = qr/\b(?:fence|fence_or|caught|caught_with|handed_on|fenced|fenced_handler|fenced_future|owing|handled)(?:::<[^;(]*>)?\((?!Ordering)/;
# Helpers that take somebody else's closure, by whose function it is named.
my %helper = map { $_ => 1 } qw(vfunc::fenced vfunc::fenced_future vfunc::handler::fenced_handler operation::owed::owing
    reactor::source::handled engine::fenced);
# Of glib::subclass::ObjectImpl, which the macros of glib-rs call without one.
my $object = qr/^(?:constructed|dispose|property|set_property|dispatch_properties_changed)$/;

sub module {
    my ($file) = @_;
    $file =~ s{^src/}{};
    $file =~ s{\.rs$}{};
    $file =~ s{(?:^|/)(?:mod|lib)$}{};
    $file =~ s{/}{::}g;
    return $file;
}

my @files = split /\n/, `find src subclass capi/src -name '*.rs' | sort`;
for my $file (@files) {
    next if $file =~ /simulation/ or $file eq 'src/fence.rs';
    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    my $text = <$in>;
    if ($file =~ m{^capi/}) {
        next if $file =~ m{/(?:export|fence)\.rs$};
        while ($text =~ /^    (try )?fn (gsock_\w+)\(([^)]*)\)\s*->/mg) {
            my ($try, $name, $list) = ($1, $2, $3);
            $list =~ s{//.*}{}g;
            1 while $list =~ s/<[^<>]*>//;
            my $count = () = $list =~ /(?<!:):(?!:)/g;
            print "symbol $name $count ", ($try ? 1 : 0), "\n";
        }
    }
    # Of tests nobody in C knows.
    $text =~ s/^#\[cfg\(test\)\]\nmod \w+ \{.*\z//ms;
    my @lines = split /\n/, $text, -1;
    my %seen;
    my ($name, $kind, $at, $has, $depth) = ('', '', 0, 'no', 0);
    my $say = sub {
        return if $name eq '' or ($kind eq '' and $has eq 'no') or $seen{$name}++;
        my $module = module($file);
        return if $helper{"${module}::$name"};
        my $what = $kind ne '' ? 'entry' : 'fence';
        print "$what $module", ($module ne '' ? '::' : ''), "$name $has $file:$at\n";
    };
    for my $i (0 .. $#lines) {
        my $line = $lines[$i];
        next if $line =~ m{^\s*//};
        if ($line =~ /^\s*(?:pub(?:\([a-z]+\))? )?(?:const )?(?:async )?(?:unsafe )?(extern "C(?:-unwind)?" )?fn ([\w\$]+)/) {
            my ($c, $new) = ($1, $2);
            next if $line =~ /;\s*$/;
            $say->();
            ($name, $at, $has) = ($new, $i + 1, 'no');
            $kind = $c || ($new =~ $object && $line =~ /&self/ && $file =~ m{(?:imp|mod|classes|input|output)\.rs$}
                && $file ne 'src/transport/wire.rs') ? 'entry' : '';
            next;
        }
        $has = 'yes' if $line =~ $fence;
    }
    $say->();
}
