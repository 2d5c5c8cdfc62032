//! PostgreSQL servers that fail in one way each, so that each failure can be told from the others without a real server.
//! A script serves one connection, on loopback.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The behaviour of a server (PostgreSQL, "Frontend/Backend Protocol"). Only `Tls` offers TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Script {
    /// Closes it after the first message.
    Close,
    /// Fails with a state (`ErrorResponse`).
    Fail(&'static str),
    /// Asks for authentication (`Authentication…`), with this body.
    Ask(&'static [u8]),
    /// Sends these bytes and nothing else.
    Speak(&'static [u8]),
    /// Shows a certificate of an authority that clients do not know.
    Tls,
}

/// Starts a server for one connection.
pub(crate) fn scripted(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        serve(script, stream)
    });
    address
}

fn serve(script: Script, mut stream: TcpStream) -> std::io::Result<()> {
    let tls_request = startup(&mut stream)?;
    let answer = match script {
        Script::Speak(bytes) => bytes.to_vec(),
        Script::Tls => return handshake(stream),
        Script::Close | Script::Fail(_) | Script::Ask(_) => b"N".to_vec(),
    };
    stream.write_all(&answer)?;
    // `SSLRequest` has this code instead of a version.
    if tls_request != 80_877_103 || startup(&mut stream).is_err() {
        return Ok(());
    }
    match script {
        Script::Fail(state) => {
            let fields = format!("SFATAL\0C{state}\0Mnot now\0\0");
            stream.write_all(&message(b'E', fields.as_bytes()))?;
        }
        Script::Ask(body) => stream.write_all(&message(b'R', body))?,
        Script::Close | Script::Speak(_) | Script::Tls => {}
    }
    // Until the client closes the connection: what it has not read yet would be lost.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// Reads a message without a type, and returns its code.
fn startup(stream: &mut TcpStream) -> std::io::Result<u32> {
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let number = |at: usize| head[at..at + 4].iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
    stream.read_exact(&mut vec![0; number(0) as usize - 8])?;
    Ok(number(4))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind], &length[..], body].concat()
}

fn handshake(mut stream: TcpStream) -> std::io::Result<()> {
    let certificate = include_bytes!("../../../loggia/tests/it/data/localhost.pem");
    let key = include_bytes!("../../../loggia/tests/it/data/localhost.key");
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth();
    let config = config.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key).unwrap()).unwrap();
    let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    stream.write_all(b"S")?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(())
}
