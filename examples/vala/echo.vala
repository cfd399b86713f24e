/* A service that sends back what it gets, and a client that waits for it by `yield`.
 *
 *   valac -X -w --pkg gsock-1 examples/vala/echo.vala && ./echo
 *
 * With HOST:PORT it talks to that peer, which must send back what it gets.
 */

const string SAID = "hello from Vala\n";

/* A class of its own, which is given each connection. */
class Echo : Gsock.SocketService {
    public override bool incoming (Gsock.SocketConnection connection, Object? source_object) {
        serve.begin (connection);
        return true;
    }

    async void serve (Gsock.SocketConnection connection) {
        try {
            yield connection.output_stream.splice_async (connection.input_stream, OutputStreamSpliceFlags.NONE);
            yield connection.close_async ();
        } catch (Error error) {
            printerr ("the service: %s\n", error.message);
        }
    }
}

async string talk (string host) throws Error {
    var client = new Gsock.SocketClient () { connect_timeout_ms = 10000, io_timeout_ms = 10000 };
    var connection = yield client.connect_to_host_async (host, 7);
    connection.notify["state"].connect (() => {
        print ("state: %s\n", connection.state.to_string ());
    });
    yield connection.output_stream.write_all_async (SAID.data, Priority.DEFAULT, null, null);
    var answer = new uint8[SAID.length];
    size_t read;
    yield connection.input_stream.read_all_async (answer, Priority.DEFAULT, null, out read);
    if (read < answer.length)
        throw new IOError.CONNECTION_CLOSED ("The peer said too little");
    yield connection.close_async ();
    return ((string) answer).substring (0, answer.length);
}

int main (string[] arguments) {
    var loop = new MainLoop ();
    var service = new Echo ();
    string host = "";
    int status = 1;
    try {
        host = arguments.length > 1 ? arguments[1] : "127.0.0.1:%u".printf (service.add_any_inet_port (null));
    } catch (Error error) {
        printerr ("%s\n", error.message);
        return status;
    }
    talk.begin (host, (source, result) => {
        try {
            print ("ok: %s said %s", host, talk.end (result));
            status = 0;
        } catch (Error error) {
            printerr ("%s: %s\n", host, error.message);
        }
        loop.quit ();
    });
    loop.run ();
    return status;
}
