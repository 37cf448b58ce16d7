select to_regclass('reprise._sqlx_migrations') is not null
