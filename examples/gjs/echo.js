// A service that sends back what it gets, and a client that awaits it.
//
//     gjs examples/gjs/echo.js
//
// With HOST:PORT it talks to that peer, which must send back what it gets.

imports.gi.versions.Gsock = '1';
const {Gio, GLib, GObject, Gsock} = imports.gi;
const ByteArray = imports.byteArray;
const System = imports.system;

const SAID = 'hello from JavaScript\n';

Gio._promisify(Gsock.SocketClient.prototype, 'connect_to_host_async', 'connect_to_host_finish');
Gio._promisify(Gio.IOStream.prototype, 'close_async', 'close_finish');
Gio._promisify(Gio.InputStream.prototype, 'read_bytes_async', 'read_bytes_finish');
Gio._promisify(Gio.OutputStream.prototype, 'write_bytes_async', 'write_bytes_finish');
Gio._promisify(Gio.OutputStream.prototype, 'splice_async', 'splice_finish');

// A class of its own, which is given each connection.
const Echo = GObject.registerClass(class Echo extends Gsock.SocketService {
    vfunc_incoming(connection, _sourceObject) {
        serve(connection).catch(logError);
        return true;
    }
});

async function serve(connection) {
    await connection.get_output_stream().splice_async(connection.get_input_stream(), Gio.OutputStreamSpliceFlags.NONE,
        GLib.PRIORITY_DEFAULT, null);
    // Named here, the connection stays until now: it would be closed with its last reference.
    await connection.close_async(GLib.PRIORITY_DEFAULT, null);
}

async function talk(host) {
    const client = new Gsock.SocketClient({connect_timeout_ms: 10000, io_timeout_ms: 10000});
    const connection = await client.connect_to_host_async(host, 7, null);
    // `connect` connects the socket; signals are connected by GObject's.
    GObject.Object.prototype.connect.call(connection, 'notify::state',
        () => print(`state: ${connection.state}`));
    await connection.get_output_stream().write_bytes_async(new GLib.Bytes(ByteArray.fromString(SAID)),
        GLib.PRIORITY_DEFAULT, null);
    let answer = '';
    while (answer.length < SAID.length) {
        const bytes = await connection.get_input_stream().read_bytes_async(SAID.length - answer.length,
            GLib.PRIORITY_DEFAULT, null);
        if (bytes.get_size() === 0)
            throw new Error('the peer said too little');
        answer += ByteArray.toString(ByteArray.fromGBytes(bytes));
    }
    await connection.close_async(GLib.PRIORITY_DEFAULT, null);
    return answer;
}

const loop = GLib.MainLoop.new(null, false);
let status = 1;
const service = new Echo();
const host = ARGV[0] ?? `127.0.0.1:${service.add_any_inet_port(null)}`;

talk(host).then(answer => {
    print(`ok: ${host} said ${answer.trim()}`);
    status = 0;
}).catch(error => printerr(`${host}: ${error.message}`)).finally(() => loop.quit());
loop.run();
System.exit(status);
