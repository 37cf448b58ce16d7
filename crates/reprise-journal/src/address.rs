//! Where a journal is: a path or a URL, and what of it may be shown.

use std::path::PathBuf;
use std::str::FromStr;

use reprise_ports::JournalError;
use sqlx::postgres::PgConnectOptions;

pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres {
        options: Box<PgConnectOptions>,
        /// The URL without its password and parameters.
        shown: String,
    },
}

impl Address {
    pub(crate) fn parse(text: &str) -> Result<Self, JournalError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::sqlite(path, text);
        }
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Self::postgres(text),
            Some((scheme, _)) => Err(JournalError::Unusable {
                place: format!("{scheme}://..."),
                what: format!(
                    "`{scheme}` is not a kind of journal; use a path, sqlite:PATH or postgres://..."
                ),
            }),
            None => Self::sqlite(text, text),
        }
    }

    fn sqlite(path: &str, text: &str) -> Result<Self, JournalError> {
        if path.is_empty() {
            return Err(JournalError::Unusable {
                place: format!("`{text}`"),
                what: "the path is empty".to_owned(),
            });
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }

    fn postgres(url: &str) -> Result<Self, JournalError> {
        // The parser's own message may quote parts of the URL; only its
        // first words are known to hold no password, so none of it is kept.
        let options = PgConnectOptions::from_str(url).map_err(|_| JournalError::Unusable {
            place: "postgres://...".to_owned(),
            what:
                "the URL cannot be parsed; expected postgres://user:password@host:port/database, \
                   special characters in the password percent-encoded"
                    .to_owned(),
        })?;
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let shown = format!(
            "postgres://{}@{host}:{}/{}",
            options.get_username(),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username()),
        );
        Ok(Self::Postgres {
            options: Box::new(options),
            shown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_path_is_read() {
        let check = |text: &str, expect: &str| match Address::parse(text) {
            Ok(Address::Sqlite(path)) => assert_eq!(path, PathBuf::from(expect), "{text}"),
            _ => panic!("{text} is a path"),
        };
        check("sqlite:a/b.db", "a/b.db");
        check("sqlite://a/b.db", "a/b.db");
        check("sqlite:///a/b.db", "/a/b.db");
        check("/a/b.db", "/a/b.db");
        check("b.db", "b.db");
    }

    #[test]
    fn no_message_holds_the_password() {
        let Ok(Address::Postgres { shown, .. }) =
            Address::parse("postgresql://me:s3cret@db.example:6543/ops?sslmode=require")
        else {
            panic!("a PostgreSQL URL");
        };
        assert_eq!(shown, "postgres://me@db.example:6543/ops");
        for bad in [
            "postgres://me:s3cret@host:port/ops",
            "postgres://me:s3cret@host/ops?sslmode=s3cret",
            "mysql://me:s3cret@host/ops",
            "sqlite:",
            "",
        ] {
            let Err(error) = Address::parse(bad) else {
                panic!("{bad} is refused");
            };
            let text = format!("{error} {error:?}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
