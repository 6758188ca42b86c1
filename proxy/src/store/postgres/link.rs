//! Connections to the database. They run on a thread of their own, so that callers can wait on any thread.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::{self, Handle},
    sync::oneshot,
    task::JoinHandle,
    time,
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, NoTls, Row,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{Options, tls::Connector};
use crate::store::Error;

/// How long it may take to try all hosts for a connection.
const CONNECTING: Duration = Duration::from_secs(10);

/// Opens connections.
#[derive(Clone)]
pub(super) struct Link {
    thread: Arc<Thread>,
    options: Arc<Options>,
    connector: Option<Connector>,
}

/// The thread of the connections. The thread ends when this value is dropped.
struct Thread {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Link {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        let connector = Connector::new(&options.tls).map_err(Error::Certificates)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::Folder)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || runtime.block_on(stopped))
            .map_err(Error::Folder)?;
        let thread = Thread {
            handle,
            _stop: stop,
        };
        Ok(Self {
            thread: Arc::new(thread),
            options: Arc::new(options.clone()),
            connector,
        })
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn connect(&self) -> Result<Session, Error> {
        let (config, connector) = (self.options.config.clone(), self.connector.clone());
        self.wait(CONNECTING, async move {
            match connector {
                None => {
                    let connected = config.connect(NoTls).await;
                    let (client, connection) = connected.map_err(|error| refused(&error))?;
                    Ok(Session::over(client, connection))
                }
                Some(connector) => {
                    let connected = config.connect(connector).await;
                    let (client, connection) = connected.map_err(|error| refused(&error))?;
                    Ok(Session::over(client, connection))
                }
            }
        })
    }

    /// Sends statements in one round trip, and returns the rows of each statement. After an error, the caller must not
    /// use the session again.
    pub(super) fn trip(&self, session: &Session, trip: Trip) -> Result<Vec<Vec<Row>>, Error> {
        if session.is_broken() {
            return Err(Error::Stopped);
        }
        let client = Arc::clone(&session.client);
        let sent = self.wait(trip.limit, async move { Ok(trip.send(client).await?) });
        // A commit can succeed with a warning. In that case it is possible that no standby has the commit, so the
        // warning is an error here.
        let done = sent.and_then(|rows| {
            let broken = session.is_broken();
            (!broken).then_some(rows).ok_or(Error::Stopped)
        });
        if done.is_err() {
            session.end();
        }
        done
    }

    /// Runs work on the thread of the connections, and waits for its result.
    fn wait<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.thread.handle.spawn(async move {
            let done = time::timeout(limit, work).await;
            let _ = answer.send(done.unwrap_or(Err(Error::Timeout)));
        });
        answered.recv().unwrap_or(Err(Error::Stopped))
    }
}

/// One connection.
pub(super) struct Session {
    client: Arc<Client>,
    is_broken: Arc<AtomicBool>,
    connection: JoinHandle<()>,
}

impl Session {
    fn over<S, T>(client: Client, mut connection: Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let is_broken = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&is_broken);
        let connection = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                // If somebody has cancelled the wait for the standby, PostgreSQL reports the commit as a success, with a
                // warning.
                if let AsyncMessage::Notice(notice) = message
                    && *notice.code() == SqlState::WARNING
                {
                    broken.store(true, Ordering::Release);
                }
            }
            broken.store(true, Ordering::Release);
        });
        Self {
            client: Arc::new(client),
            is_broken,
            connection,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// Closes the connection at once. The proxy never sends PostgreSQL a request to cancel, because that would end the
    /// wait for the standby and let the commit succeed.
    fn end(&self) {
        self.is_broken.store(true, Ordering::Release);
        self.connection.abort();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

type Parameter = (Box<dyn ToSql + Sync + Send>, Type);

/// Statements that are sent together, in one round trip.
pub(super) struct Trip {
    statements: Vec<Statement>,
    limit: Duration,
}

enum Statement {
    /// Statements that have no parameters and return no rows.
    Run(&'static str),
    Query(&'static str, Vec<Parameter>),
    /// A statement that is not sent, because it could find nothing. Its result is empty.
    Skipped,
}

impl Trip {
    /// Returns an empty trip. Its time limit is long enough to wait for a lock and for a standby.
    pub(super) fn new() -> Self {
        Self::within(Duration::from_secs(8))
    }

    pub(super) fn within(limit: Duration) -> Self {
        Self {
            statements: Vec::new(),
            limit,
        }
    }

    /// Adds statements that have no parameters and return no rows. Adds nothing if `sql` is empty.
    pub(super) fn run(mut self, sql: &'static str) -> Self {
        if !sql.is_empty() {
            self.statements.push(Statement::Run(sql));
        }
        self
    }

    /// Adds a statement. The statement is not prepared on the server, for two reasons. A pooler gives one connection to
    /// several clients, which would not find the prepared statement. And a plan that was made while a table was empty
    /// would still be used when the table is full.
    pub(super) fn query(mut self, sql: &'static str, parameters: Vec<Parameter>) -> Self {
        self.statements.push(Statement::Query(sql, parameters));
        self
    }

    /// Adds the statement like [`Trip::query`], or adds an empty result if the statement could find nothing.
    pub(super) fn query_if(
        mut self,
        can_find: bool,
        sql: &'static str,
        parameters: Vec<Parameter>,
    ) -> Self {
        if can_find {
            return self.query(sql, parameters);
        }
        self.statements.push(Statement::Skipped);
        self
    }

    /// Sends all statements, and only then waits for the first answer.
    async fn send(self, client: Arc<Client>) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
        type Sent<'a> =
            Pin<Box<dyn Future<Output = Result<Vec<Row>, tokio_postgres::Error>> + Send + 'a>>;
        let client = &*client;
        let statements = self.statements.iter();
        let mut sent: Vec<(Sent<'_>, Option<Vec<Row>>)> = statements
            .map(|statement| {
                let sent: Sent<'_> = match statement {
                    Statement::Skipped => Box::pin(async { Ok(Vec::new()) }),
                    Statement::Run(sql) => {
                        Box::pin(async { client.batch_execute(sql).await.map(|()| Vec::new()) })
                    }
                    Statement::Query(sql, parameters) => Box::pin(async move {
                        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = parameters
                            .iter()
                            .map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone()))
                            .collect();
                        client.query_typed(sql, &parameters).await
                    }),
                };
                (sent, None)
            })
            .collect();
        poll_fn(|context| {
            let mut waits = false;
            for (answer, rows) in &mut sent {
                if rows.is_none() {
                    match answer.as_mut().poll(context) {
                        Poll::Ready(answered) => *rows = Some(answered?),
                        Poll::Pending => waits = true,
                    }
                }
            }
            if waits {
                return Poll::Pending;
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        Ok(sent
            .into_iter()
            .map(|(_, rows)| rows.unwrap_or_default())
            .collect())
    }
}

/// Returns a parameter of a statement.
pub(super) fn value(value: impl ToSql + Sync + Send + 'static, kind: Type) -> Parameter {
    (Box::new(value), kind)
}

/// Returns the reason why there is no connection. The text contains no stored data at this point, so it is shown
/// completely.
fn refused(error: &tokio_postgres::Error) -> Error {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Error::Database(format!("{error}{}", cause.unwrap_or_default()))
}

impl From<tokio_postgres::Error> for Error {
    /// Keeps only the parts of an error that contain no personal data. The other parts can contain stored data.
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(error) = error.as_db_error() {
            if *error.code() == SqlState::LOCK_NOT_AVAILABLE {
                return Self::Timeout;
            }
            let text = error.code().code().to_owned();
            return Self::Database(format!("SQLSTATE {text}"));
        }
        let cause = std::error::Error::source(&error);
        let kind = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
        Self::Database(
            kind.map_or_else(|| error.to_string(), |error| format!("{:?}", error.kind())),
        )
    }
}
