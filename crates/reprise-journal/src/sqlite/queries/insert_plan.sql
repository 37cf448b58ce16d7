insert into plans (run, digest, body)
values (?1, ?2, ?3)
