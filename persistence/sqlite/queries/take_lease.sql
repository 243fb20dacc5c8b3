-- Take or renew a lease. One that ends later than its length from now was taken before the clock was set back: it is
-- ignored. Values: name, holder, its end, now, the latest end that counts.
INSERT INTO leases VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE holder = excluded.holder OR until < ? OR until > ?
