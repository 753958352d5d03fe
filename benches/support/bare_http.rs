//! A bare keep-alive connection: one write and about one read for each request. It shares two cores with what it measures, so it does no more.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// `longest`: no answer is longer, in bytes.
    pub fn open(service: SocketAddr, longest: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(service)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            answer: vec![0; longest],
        })
    }

    /// Sends a request as it is; gives the status and all of the answer.
    pub fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).context("no answer")?;
            if read == 0 {
                bail!("the service closed the connection, or its answer is longer than expected");
            }
            filled += read;
            if let Some(status) = complete(&self.answer[..filled])? {
                return Ok((status, &self.answer[..filled]));
            }
        }
    }
}

/// The status, once head and body are all there.
fn complete(answer: &[u8]) -> anyhow::Result<Option<u16>> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&answer[..head])?;
    let length: usize = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim())
        })
        .context("an answer without a length")?
        .parse()?;
    let status = text.get(9..12).context("an answer without a status")?.parse()?;
    Ok((answer.len() >= head + 4 + length).then_some(status))
}
