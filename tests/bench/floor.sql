-- floor: the COPYs that a backup cannot do without, cut as Strongroom cuts them: one "bytes<TAB>statement" a line.
SELECT least(28 << 20, size - from_page * 8192), format('COPY (SELECT * FROM ONLY %s WHERE ctid >= ''(%s,0)'' AND ctid < ''(%s,0)'') TO STDOUT;', oid::regclass, from_page, from_page + 3584)
FROM (SELECT oid, pg_relation_size(oid) size FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) t,
     generate_series(0, (size - 1) / 8192, 3584) from_page ORDER BY oid, from_page;
