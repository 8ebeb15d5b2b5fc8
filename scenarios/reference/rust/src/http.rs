//! One HTTP/1.1 exchange on a connection of its own, read strictly.
//!
//! Ready-made clients are generous: they follow redirects, keep cookies, undo encodings, reuse
//! connections and take what is cut off for whole. Here nothing is kept between two requests, and
//! an answer is either complete and well formed or an error. The caller sets the one deadline
//! around all of it.

use std::fmt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HEAD_LIMIT: usize = 64 * 1024;
const READ_SIZE: usize = 16 * 1024;

/// `http://host:port/path`, taken apart.
#[derive(Clone)]
pub struct Base {
    host: String,
    port: u16,
    path: String,
}

pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Broken> {
    Err(Broken(reason.into()))
}

impl Base {
    pub fn read(address: &str) -> Result<Self, String> {
        let url = url::Url::parse(address).map_err(|error| format!("{address}: {error}"))?;
        match (url.scheme(), url.host_str()) {
            ("http", Some(host)) => Ok(Self {
                host: host.to_owned(),
                port: url.port().unwrap_or(80),
                path: url.path().trim_end_matches('/').to_owned(),
            }),
            _ => Err(format!("{address}: an http:// address is needed")),
        }
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl Answer {
    /// The only value of a header; several different ones are an error, as one cannot know which
    /// of them another reader took.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Broken> {
        let mut found = None;
        for (key, value) in &self.headers {
            if key.eq_ignore_ascii_case(name) && *found.get_or_insert(value.as_str()) != value {
                return broken(format!("several different {name} headers"));
            }
        }
        Ok(found)
    }
}

/// POST `body` to `{base}{path}` and read the whole answer, its body at most `limit` bytes.
pub async fn post(
    base: &Base,
    path: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
    limit: usize,
) -> Result<Answer, Broken> {
    let mut stream = connect(base).await?;
    stream.set_nodelay(true)?;
    let mut head = format!(
        "POST {}{path} HTTP/1.1\r\nHost: {}\r\n",
        base.path,
        base.authority()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request).await?;
    Reader {
        stream,
        bytes: Vec::new(),
    }
    .answer(limit)
    .await
}

async fn connect(base: &Base) -> Result<TcpStream, Broken> {
    let host = base.host.trim_matches(['[', ']']);
    Ok(TcpStream::connect((host, base.port)).await?)
}

/// The stream, and what was read of it and not yet used.
struct Reader {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Reader {
    async fn answer(mut self, limit: usize) -> Result<Answer, Broken> {
        loop {
            let (status, headers) = self.head().await?;
            let mut answer = Answer {
                status,
                headers,
                body: Vec::new(),
            };
            match status {
                101 => return broken("switched protocols"),
                100..=199 => {} // an interim answer; the final one follows
                _ => {
                    answer.body = self.body(&answer, limit).await?;
                    return Ok(answer);
                }
            }
        }
    }

    async fn head(&mut self) -> Result<(u16, Vec<(String, String)>), Broken> {
        let mut room = HEAD_LIMIT;
        let status = status_of(&self.line(&mut room).await?)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line(&mut room).await?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            headers.push(header_of(&line)?);
        }
    }

    async fn body(&mut self, answer: &Answer, limit: usize) -> Result<Vec<u8>, Broken> {
        if let Some(coding) = answer.header("Content-Encoding")?
            && !coding.eq_ignore_ascii_case("identity")
        {
            return broken(format!("content coding {coding}, which was not asked for"));
        }
        let length = answer.header("Content-Length")?;
        match (answer.header("Transfer-Encoding")?, length) {
            (Some(_), Some(_)) => broken("both a length and a transfer coding"),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => {
                self.chunks(limit).await
            }
            (Some(coding), None) => broken(format!("transfer coding {coding}")),
            (None, Some(length)) => {
                let length = decimal(length).ok_or_else(|| Broken(format!("length {length}")))?;
                let mut body = Vec::new();
                self.take(length, limit, &mut body).await?;
                Ok(body)
            }
            (None, None) if matches!(answer.status, 204 | 304) => Ok(Vec::new()),
            (None, None) => self.rest(limit).await,
        }
    }

    async fn chunks(&mut self, limit: usize) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        let mut room = HEAD_LIMIT;
        loop {
            let line = self.line(&mut room).await?;
            let size = line.split(';').next().unwrap_or("").trim_end();
            let size = hexadecimal(size).ok_or_else(|| Broken(format!("chunk size {size:?}")))?;
            if size == 0 {
                break;
            }
            self.take(size, limit, &mut body).await?;
            if !self.line(&mut room).await?.is_empty() {
                return broken("a chunk that does not end where it should");
            }
        }
        while !self.line(&mut room).await?.is_empty() {} // trailers say nothing to us
        Ok(body)
    }

    /// Without a length the end of the connection is the end of the body.
    async fn rest(&mut self, limit: usize) -> Result<Vec<u8>, Broken> {
        while self.more().await? {
            check(self.bytes.len(), limit)?;
        }
        check(self.bytes.len(), limit)?;
        Ok(std::mem::take(&mut self.bytes))
    }

    async fn take(&mut self, size: usize, limit: usize, body: &mut Vec<u8>) -> Result<(), Broken> {
        check(body.len().saturating_add(size), limit)?;
        while self.bytes.len() < size {
            self.need().await?;
        }
        body.extend(self.bytes.drain(..size));
        Ok(())
    }

    /// The next line without its CR LF; `room` is what the head may still take.
    async fn line(&mut self, room: &mut usize) -> Result<String, Broken> {
        let end = loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\r\n") {
                break end;
            }
            if self.bytes.len() > *room {
                return broken("a head that is too long");
            }
            self.need().await?;
        };
        *room = room
            .checked_sub(end + 2)
            .ok_or_else(|| Broken("a head that is too long".into()))?;
        let line: Vec<u8> = self.bytes.drain(..end + 2).take(end).collect();
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return broken("a control character in the head");
        }
        // obs-text is legal in values; it is kept apart from ASCII, character by byte
        Ok(line.into_iter().map(char::from).collect())
    }

    async fn need(&mut self) -> Result<(), Broken> {
        if self.more().await? {
            Ok(())
        } else {
            broken("the answer is cut off")
        }
    }

    async fn more(&mut self) -> Result<bool, Broken> {
        self.bytes.reserve(READ_SIZE);
        Ok(self.stream.read_buf(&mut self.bytes).await? > 0)
    }
}

fn check(size: usize, limit: usize) -> Result<(), Broken> {
    if size > limit {
        broken(format!("more than {limit} bytes"))
    } else {
        Ok(())
    }
}

fn status_of(line: &str) -> Result<u16, Broken> {
    let mut parts = line.splitn(3, ' ');
    let version = parts.next().unwrap_or("");
    let code = parts.next().unwrap_or("");
    match decimal(code) {
        Some(status @ 100..=599) if code.len() == 3 && version.starts_with("HTTP/1.") => {
            Ok(status as u16)
        }
        _ => broken(format!("status line {line:?}")),
    }
}

fn header_of(line: &str) -> Result<(String, String), Broken> {
    let token = |name: &str| {
        let of_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(of_token)
    };
    match line.split_once(':') {
        Some((name, value)) if token(name) => {
            Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => broken(format!("header line {line:?}")),
    }
}

fn decimal(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn hexadecimal(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits
        .then(|| usize::from_str_radix(text, 16).ok())
        .flatten()
}
