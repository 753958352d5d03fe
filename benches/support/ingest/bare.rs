//! The yardstick: the same bytes in a row of their own, one statement and one commit each, over as many PostgreSQL connections.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use muster::store::{self, Connection};

use super::deliveries::Template;

pub async fn prepare(pool: &store::Pool) -> anyhow::Result<()> {
    sqlx::query("create table bare (id bigint generated always as identity primary key, body bytea not null)")
        .execute(pool)
        .await?;
    Ok(())
}

pub async fn connect(pool: &store::Pool, connections: usize) -> anyhow::Result<Vec<Connection>> {
    Ok(try_join_all((0..connections).map(|_| store::dedicated(pool))).await?)
}

/// Rows committed per second, closed loop.
pub async fn per_second(connections: &mut [Connection], length: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let body = Template::new(|_| String::new())?;
    let counts = try_join_all(connections.iter_mut().map(|connection| {
        let mut body = body.clone();
        async move {
            let mut count = 0_u64;
            while start.elapsed() < length {
                sqlx::query("insert into bare (body) values ($1)")
                    .bind(body.next())
                    .execute(&mut *connection)
                    .await?;
                count += 1;
            }
            anyhow::Ok(count)
        }
    }))
    .await?;
    Ok(counts.iter().sum::<u64>() as f64 / start.elapsed().as_secs_f64())
}
