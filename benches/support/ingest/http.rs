//! One keep-alive connection that posts deliveries.

use std::net::SocketAddr;

use super::{bare_http::Connection, deliveries::Template, serving::SECRET};

pub struct Client {
    connection: Connection,
    request: Template,
}

impl Client {
    pub fn connect(service: SocketAddr) -> anyhow::Result<Self> {
        let request = Template::new(|length| {
            format!(
                "POST /faceit-webhook HTTP/1.1\r\nhost: {service}\r\nuser-agent: muster-bench\r\n\
                 content-type: application/json\r\nx-webhook-secret: {SECRET}\r\ncontent-length: {length}\r\n\r\n"
            )
        })?;
        Ok(Self {
            connection: Connection::open(service, 4096)?,
            request,
        })
    }

    /// Posts a delivery that was never posted before; gives the status of the answer.
    pub fn post(&mut self) -> anyhow::Result<u16> {
        Ok(self.connection.ask(self.request.next())?.0)
    }
}
