//! A relay that can cut the network between two programs. During the cut, the relay passes no bytes on and closes no
//! connection. The kernel still acknowledges the sent bytes, unlike a real network that is cut.

use std::io;

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    runtime::Runtime,
    sync::watch,
};

pub(super) struct Relay {
    pub(super) port: u16,
    is_open: watch::Sender<bool>,
}

impl Relay {
    /// Starts a relay to a port of this machine.
    pub(super) fn start(runtime: &Runtime, to: u16) -> Result<Self> {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let (is_open, open) = watch::channel(true);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connect(stream, to, open.clone()));
            }
        });
        Ok(Self { port, is_open })
    }

    /// Passes all bytes on from now on if `is_open`, or none.
    pub(super) fn pass(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }
}

async fn connect(near: TcpStream, to: u16, mut open: watch::Receiver<bool>) {
    if open.wait_for(|open| *open).await.is_err() {
        return;
    }
    // If the connection to the server is refused or breaks, the client's connection is closed too.
    let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else {
        return;
    };
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    tokio::select! {
        _ = pass(near_read, far_write, open.clone()) => {}
        _ = pass(far_read, near_write, open) => {}
    }
}

async fn pass(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut open: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if open.wait_for(|open| *open).await.is_err() || count == 0 {
            return Ok(());
        }
        to.write_all(bytes.get(..count).unwrap_or_default()).await?;
    }
}
