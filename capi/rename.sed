# What a program for GIO's socket layer is renamed by, to be one for gsock: sed -E -i -f rename.sed *.c *.h
# Functions, types, macros and headers of the eight classes; all else of GIO, such as their enumerations, stays GIO's.
s/\bg_((socket|tcp|tcp_wrapper|unix)_connection|socket_(client|listener|service)|threaded_socket_service)_/gsock_\1_/g
s/\bG((Socket|Tcp|TcpWrapper|Unix)Connection|Socket(Client|Listener|Service)|ThreadedSocketService)(Class|_autoptr)?\b/Gsock\1\4/g
s/\bG_((TYPE_|IS_)?((SOCKET|TCP|TCP_WRAPPER|UNIX)_CONNECTION|SOCKET_(CLIENT|LISTENER|SERVICE)|THREADED_SOCKET_SERVICE)(_GET)?(_CLASS)?)\b/GSOCK_\1/g
s/\bgio-(unix-)?2\.0\b/gsock-1/g
s|<gio/(gio\|gunixconnection\|gtcpwrapperconnection)\.h>|<gsock/gsock.h>|
