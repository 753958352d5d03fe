//! One keep-alive connection that posts deliveries: one write and one read each. It shares two cores with what it measures, so it does no more.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};

use super::{deliveries::Template, service::SECRET};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    stream: TcpStream,
    request: Template,
    answer: Vec<u8>,
}

impl Client {
    pub fn connect(service: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(service)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = Template::new(|length| {
            format!(
                "POST /faceit-webhook HTTP/1.1\r\nhost: {service}\r\nuser-agent: muster-bench\r\n\
                 content-type: application/json\r\nx-webhook-secret: {SECRET}\r\ncontent-length: {length}\r\n\r\n"
            )
        })?;
        Ok(Self {
            stream,
            request,
            answer: vec![0; 4096],
        })
    }

    /// Posts a delivery that was never posted before; gives the status of the answer.
    pub fn post(&mut self) -> anyhow::Result<u16> {
        self.stream.write_all(self.request.next())?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).context("no answer")?;
            if read == 0 {
                bail!("the service closed the connection, or its answer is longer than expected");
            }
            filled += read;
            if let Some(status) = complete(&self.answer[..filled])? {
                return Ok(status);
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
