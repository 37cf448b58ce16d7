//! The connector against a real MariaDB.

mod mariadb;
