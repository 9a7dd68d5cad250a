-- One nasty database for PostgreSQL 15 and later.
--
--   psql -X -q -v ON_ERROR_STOP=1 -d EMPTY_DATABASE -f nasty.sql        (as a superuser, encoding UTF8)
--
-- Its contents are the same in every run, so that two loads can be compared. Roles are shared by the cluster
-- and made only when missing: any number of databases of one cluster may run this script.
--
-- Options (-v NAME=1), off by default since pg_dump itself does not bring these back unchanged:
--   reorder   inheritance children whose columns come back in another order after a restore
--   pins      database settings that change the text of a dump when a session does not pin them (TimeZone, bytea_output)
--
-- To compare a restored copy by `pg_dump`, sort the lines: the rows of parts.by_enum_hash move between its
-- leaves, since hashes of enums depend on OIDs, and rows of big.events come back in another physical order.
-- DROP DATABASE wants `DROP SUBSCRIPTION nasty_sub` first. A database-wide ANALYZE or VACUUM (ANALYZE) fails
-- at parts.with_foreign, whose wrapper has no handler, and so does any query of that root.

\set QUIET on
\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
SET client_min_messages = error;
SET standard_conforming_strings = on;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET bytea_output = 'hex';
SET lc_monetary = 'C';
SET synchronous_commit = off;
SET search_path = pg_catalog;

SELECT current_setting('server_version_num')::int >= 170000 AS is17,
       current_setting('server_version_num')::int >= 180000 AS is18,
       EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS has_icu,
       current_setting('server_encoding') <> 'UTF8' AS not_utf8 \gset
\if :not_utf8
  DO $$ BEGIN RAISE 'nasty.sql wants a database with encoding UTF8'; END $$;
\endif
\if :{?reorder}
\else
  \set reorder off
\endif
\if :{?pins}
\else
  \set pins off
\endif

-- ---------------------------------------------------------------------------------------------- roles
DO $$
BEGIN
  BEGIN CREATE ROLE nasty_owner; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
  BEGIN CREATE ROLE "Nasty Reader"; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
  BEGIN CREATE ROLE nasty_login LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
  IF NOT pg_has_role('nasty_login', 'Nasty Reader', 'MEMBER') THEN
    BEGIN GRANT "Nasty Reader" TO nasty_login; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
  END IF;
END $$;

-- ---------------------------------------------------------------------------------------- schemas, extensions
BEGIN;
CREATE SCHEMA app;
CREATE SCHEMA code;
CREATE SCHEMA cons;
CREATE SCHEMA inh;
CREATE SCHEMA parts;
CREATE SCHEMA types;
CREATE SCHEMA priv AUTHORIZATION nasty_owner;
CREATE SCHEMA big;
CREATE SCHEMA tiny;
CREATE SCHEMA "we ird";
CREATE SCHEMA "select";
CREATE SCHEMA "UPPER";
CREATE SCHEMA "a.b$c*d?e\f""g'h[i](j)|k";
CREATE SCHEMA "żółć 🐘
second line";
CREATE SCHEMA "empty schema";
CREATE SCHEMA ext_hstore;

CREATE EXTENSION hstore SCHEMA ext_hstore;
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
COMMENT ON EXTENSION hstore IS 'hstore in its own schema; it''s "quoted"';
COMMENT ON SCHEMA "we ird" IS E'a comment with ''quotes'', "double quotes",\na second line, a tab\there, a back\\slash, żółć 🐘 and a trailing space ';
COMMENT ON SCHEMA "a.b$c*d?e\f""g'h[i](j)|k" IS $x$pattern characters: . $ * ? \ " ' [ ] ( ) |$x$;
COMMENT ON SCHEMA public IS 'public, with a comment of our own';

-- ---------------------------------------------------------------------------------------------- types
CREATE TYPE types.mood AS ENUM ('sad', 'it''s "ok"', 'a,b', '', 'żółć 🐘', '{brace}', 'back\slash', ' space ', 'NULL', 'happy');
COMMENT ON TYPE types.mood IS E'labels with ''quotes'', commas,\nand 🐘';
CREATE TYPE types.empty_enum AS ENUM ();
CREATE TYPE types."Colour" AS ENUM ('red', 'green', 'blue');
COMMIT;
ALTER TYPE types.mood ADD VALUE 'before, ''happy''' BEFORE 'happy';
ALTER TYPE types.mood ADD VALUE 'zeroth' BEFORE 'sad';
ALTER TYPE types."Colour" RENAME VALUE 'green' TO 'GREEN; --';

BEGIN;
CREATE TYPE types.pair AS (x integer, "Y why" text, z types.mood);
CREATE TYPE types.nested AS (id bigint, p types.pair, ps types.pair[], "select" numeric(10,3));
CREATE TYPE types.no_columns AS ();
CREATE TYPE types.altered AS (a integer, gone text, c text COLLATE "C");
ALTER TYPE types.altered DROP ATTRIBUTE gone;
ALTER TYPE types.altered ADD ATTRIBUTE d date;
COMMENT ON COLUMN types.pair."Y why" IS 'an attribute; it''s "commented"';

CREATE DOMAIN types.positive AS integer DEFAULT 1 CONSTRAINT "is > 0" CHECK (VALUE > 0);
CREATE DOMAIN types.small_positive AS types.positive CHECK (VALUE < 1000);
CREATE DOMAIN types.int_array AS integer[] CHECK (array_length(VALUE, 1) < 10 AND (VALUE IS NULL OR VALUE[array_lower(VALUE, 1)] IS NOT NULL));
CREATE DOMAIN types.pair_ok AS types.pair CHECK ((VALUE).x > 0);
CREATE DOMAIN types.pairs_ok AS types.pair[] CHECK (cardinality(VALUE) <= 3);
CREATE DOMAIN types.email AS public.citext NOT NULL DEFAULT 'nobody@example.org' CHECK (VALUE OPERATOR(public.~) '^[^@]+@[^@]+$'::public.citext);
CREATE DOMAIN types.late AS text COLLATE "C";
COMMENT ON DOMAIN types.positive IS 'domain';
COMMENT ON CONSTRAINT "is > 0" ON DOMAIN types.positive IS 'a constraint''s comment';

CREATE FUNCTION types.float8_distance(double precision, double precision) RETURNS double precision
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT $1 - $2';
CREATE TYPE types.float_range AS RANGE (subtype = float8, subtype_diff = types.float8_distance, multirange_type_name = types."Float Multirange");
CREATE TYPE types.text_range AS RANGE (subtype = text, collation = "C");

-- a base type of our own on built-in input and output functions
CREATE TYPE types.mybase;
CREATE FUNCTION types.mybase_in(cstring) RETURNS types.mybase LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION types.mybase_out(types.mybase) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE types.mybase (INPUT = types.mybase_in, OUTPUT = types.mybase_out, INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4, CATEGORY = 'N', DEFAULT = '7');
CREATE TYPE types.only_shell;

\if :has_icu
CREATE COLLATION types.case_insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
COMMENT ON COLLATION types.case_insensitive IS 'nondeterministic';
\else
CREATE COLLATION types.case_insensitive FROM "C";
\endif
CREATE COLLATION types."c, Again" FROM "C";

-- one column of every kind, and odd values
CREATE TABLE types.numbers (
  id integer PRIMARY KEY, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
  n numeric, n52 numeric(5,2), n_neg numeric(3,-2), m money, b boolean, o oid, x xid, x8 xid8, c cid, lsn pg_lsn, t tid);
INSERT INTO types.numbers VALUES
  (1, -32768, -2147483648, -9223372036854775808, '-Infinity', '-Infinity', '-Infinity', -999.99, 99900, '-$92,233,720,368,547,758.08', false, 0, '0', '0', '0', '0/0', '(0,1)'),
  (2, 32767, 2147483647, 9223372036854775807, 'Infinity', 'Infinity', 'Infinity', 999.99, -99900, '$92,233,720,368,547,758.07', true, 4294967295, '4294967295', '18446744073709551615', '4294967295', 'FFFFFFFF/FFFFFFFF', '(4294967294,65535)'),
  (3, 0, 0, 0, 'NaN', 'NaN', 'NaN', 'NaN', 0, '0', NULL, 1, '3', '3', '1', '16/B374D848', '(0,0)'),
  (4, -0, -0, -0, '-0', '-0', '-0', '-0.00', 49, '-0.01', true, 2147483648, '2', '4294967296', '2', '1/0', '(1,2)'),
  (5, 1, 1, 1, '1.17549435e-38', '2.2250738585072014e-308', 1e-1000, 0.005, 50, '0.01', false, 16384, '1', '1', '3', '0/1', '(42,7)'),
  (6, -1, -1, -1, '3.4028235e38', '1.7976931348623157e308', 9.99e+1000, 0.01, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (7, NULL, NULL, NULL, '1e-45', '4.9406564584124654e-324', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (8, 7, 8, 9, 0.1, 0.1, 0.1000000000000000000000000000000000000000000, 0.10, 12345, 1.005, true, 5, '5', '5', '5', '5/5', '(5,5)'),
  (9, 7, 8, 9, 16777217, 9007199254740993, repeat('9', 5000)::numeric, 1, 1, 1, true, 5, '5', '5', '5', '5/5', '(5,5)'),
  (10, 7, 8, 9, 0.3333333333333333, 0.3333333333333333, ('0.' || repeat('0', 5000) || '1')::numeric, 1, 1, 1, true, 5, '5', '5', '5', '5/5', '(5,5)');

CREATE TABLE types.strings (
  id integer PRIMARY KEY, t text, v varchar(200), bp char(5), one char, nm name, ch "char", ci public.citext,
  c_coll text COLLATE "C", ci_coll text COLLATE types.case_insensitive, b bytea, bits bit(5), vbits bit varying(40), vb0 bit varying);
INSERT INTO types.strings VALUES
  (1, '', '', '', '', '', '', '', '', '', '', B'00000', B'', B''),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, '\N', '\N', '\N', '\', '\N', '\', '\N', '\N', '\N', '\x5c4e', B'10101', B'1', B'1'),
  (4, '\.', '\.', '\.', '.', '\.', '.', '\.', '\.', '\.', '\x5c2e0a', B'11111', B'0000000000000000000000000000000000000001', B'0'),
  (5, E'tab\there', E'\t', E'\t', E'\t', E'\t', E'\t', E'\t', E'\t', E'\t', '\x09', B'00001', B'01', B'01'),
  (6, E'line\nfeed\n', E'\n', E'\n', E'\n', E'\n', E'\n', E'\n', E'\n', E'\n', '\x0a', B'00001', B'01', B'01'),
  (7, E'carriage\rreturn\r\n', E'\r', E'\r', E'\r', E'\r', E'\r', E'\r\n', E'\r\n', E'\r\n', '\x0d0a', B'00001', B'01', B'01'),
  (8, E'\x01\x02\x07\x08\x0b\x0c\x1a\x1b\x7f', E'\x01', E'\x02', E'\x03', E'\x04', E'\x7f', E'\x06', E'\x07', E'\x08', decode(repeat('00', 100), 'hex'), B'00001', B'01', B'01'),
  (9, 'żółć 🐘 ' || E'e\u0301 \u00e9 \ufeff \u2028 \u200f \U0010ffff \ufffe', 'ŻÓŁĆ', 'ż', '🐘', 'żółć', E'\x5c', 'Straße', 'é', 'É', (SELECT decode(string_agg(lpad(to_hex(i), 2, '0'), '' ORDER BY i), 'hex') FROM generate_series(0, 255) i), B'00001', B'01', B'01'),
  (10, '  leading and trailing  ', ' ', ' ', ' ', ' a ', ' ', ' A ', ' ', ' ', '\x20', B'00001', B'01', B'01'),
  (11, '\\\N \t \n \x41 \101 \', '\\', '\\', '\', '\\', '\', '\\', '\\', '\\', '\x5c5c', B'00001', B'01', B'01'),
  (12, 'NULL', 'null', 'NULL', 'N', 'NULL', 'N', 'NuLL', 'NULL', 'null', 'NULL'::bytea, B'00001', B'01', B'01'),
  (13, $q$'quote' "double" $$dollar$$ `tick` ; -- comment /* open$q$, ''';DROP', '''', '''', '"', '"', '"''"', '"', '"', '\x27', B'00001', B'01', B'01'),
  (14, E'\\connect postgres\n\\! echo owned\n\\restrict x\n\\.\nSELECT 1;\n', '\connect -', '\q', '\', '\q', '\', '\echo', '\i /etc/passwd', '\o', '\x5c71', B'00001', B'01', B'01'),
  (15, repeat('long line ', 20000), repeat('v', 200), '12345', '1', repeat('n', 63), 'x', repeat('Ci', 1000), repeat('c', 5000), repeat('C', 5000), decode(repeat('deadbeef', 5000), 'hex'), B'00001', B'01', (repeat('01', 5000))::bit varying),
  (16, E'\b\f\n\r\t\v\\', E'\\b', E'\\f', E'\v', E'\\t', E'\v', E'\\v', E'\\0', E'\\1', '\x00', B'00001', B'01', B'01');
INSERT INTO types.strings (id, ch) VALUES (17, ((-1)::int)::"char"), (18, ((-128)::int)::"char"), (19, ((-61)::int)::"char"), (20, ((-37)::int)::"char");

CREATE TABLE types.times (
  id integer PRIMARY KEY, d date, t time, t3 time(3), tz timetz, ts timestamp, ts0 timestamp(0), tstz timestamptz, i interval, iy interval year to month, is3 interval second(3));
INSERT INTO types.times VALUES
  (1, '4713-11-24 BC', '00:00:00', '00:00:00', '00:00:00+15:59:59', '4713-11-24 00:00:00 BC', '0001-12-31 23:59:59 BC', '4713-11-24 00:00:00+00 BC', '-178000000 years', '-1 year -1 month', '-0.001'),
  (2, '5874897-12-31', '24:00:00', '23:59:59.999', '24:00:00-15:59:59', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59', '294276-12-31 23:59:59.999999+00', '178000000 years', '1 year 1 month', '59.999'),
  (3, 'infinity', '23:59:59.999999', '12:34:56.789', '12:34:56.789012+05:45', 'infinity', 'infinity', 'infinity', '1 year -2 months 3 days -04:05:06.789', '0', '0'),
  (4, '-infinity', '12:00', '12:00', '12:00+00', '-infinity', '-infinity', '-infinity', '-1 day +23:59:59.999999', '11 months', '1'),
  (5, '0001-01-01', '00:00:00.000001', '00:00:00.001', '00:00:00.000001-00:30', '0001-01-01 00:00:00', '2000-02-29 00:00:00', '2026-10-25 00:30:00+00', '-00:00:00.000001', '0', '0.001'),
  (6, '0044-03-15 BC', NULL, NULL, NULL, '1970-01-01 00:00:00', '1969-12-31 23:59:59', '2026-03-29 01:00:00+00', '0', NULL, NULL),
  (7, '2000-02-29', '01:02:03', '01:02:03', '01:02:03-08', '1582-10-10 00:00:00.5', '1582-10-10', '1883-11-18 12:03:57+00', '24:00:00', '13 months', '30'),
  (8, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2147483647 days -2147483648 months 9223372036.854775 seconds', NULL, NULL),
  (9, '1999-12-31', '12:00', '12:00', '12:00+02', '1999-12-31 23:59:59.999999', '1999-12-31', '1999-12-31 23:59:59.999999+14', '-1 months +30 days -720:00:00', '1 month', '2');
\if :is17
INSERT INTO types.times (id, i) VALUES (10, 'infinity'), (11, '-infinity');
\endif

CREATE TABLE types.misc (
  id integer PRIMARY KEY, u uuid, i inet, c cidr, m macaddr, m8 macaddr8, j json, jb jsonb, x xml, h ext_hstore.hstore,
  tv tsvector, tq tsquery, jp jsonpath, rt regtype, rc regclass, mb types.mybase, snap pg_snapshot);
INSERT INTO types.misc VALUES
  (1, '00000000-0000-0000-0000-000000000000', '0.0.0.0/0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '{"b": 1, "a" :2,"b":  3}', '{"b": 1, "a" :2,"b":  3}', '', '', '', '', '$', 'integer', 'pg_catalog.pg_class', '-1', '1:1:'),
  (2, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '255.255.255.255', '255.255.255.255/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', E' [1,\n\t2, null ] ', '[1, 2, null, 1e400, -0, 0.0, 1.10]', E'<a b="c">\n\t&amp;\\. <![CDATA[\\N]]></a>', '"a"=>NULL, "NULL"=>"NULL", "q\"uo\\te"=>"\\N", ""=>""', '''quo''''te'':1A,2B,3C ''back\\slash'':16383', '!( ''a''''b'':*AB & c ) <2> d | e', 'strict $.a[*] ? (@.b > 1 && @.c like_regex "^\\d+$" flag "i")', 'numeric[]', 'pg_catalog.pg_type', '2147483647', '10:20:10,14,15'),
  (3, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::ffff:1.2.3.4/128', '2001:db8::/32', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '"\u0041\\N\n"', '"\u00e9\ud83d\udc18\\N\n\t"', '<?xml version="1.0" encoding="UTF-8"?><doc>żółć</doc>', 'a=>1, b=>2', 'żółć:1 fat:2', 'fat & rat', 'lax $.**{2 to last}', 'types."Colour"', NULL, NULL, '1:5:2,3'),
  (4, NULL, 'fe80::1/64', '::/0', NULL, NULL, 'null', 'null', '<!-- comment --><?pi x?>', NULL, NULL, NULL, NULL, NULL, NULL, '0', NULL),
  (5, NULL, '192.168.1.5/24', '10.0.0.0/8', NULL, NULL, '{}', '{}', 'content, not a document', NULL, NULL, NULL, NULL, NULL, NULL, '0', NULL);
INSERT INTO types.misc (id, jb, j) SELECT 6, jsonb_object_agg('k' || i, repeat('v', i)), json_agg(i) FROM generate_series(1, 300) i;

CREATE TABLE types.geometry (id integer PRIMARY KEY, p point, l line, ls lseg, b box, pa path, po polygon, c circle);
INSERT INTO types.geometry VALUES
  (1, '(0,-0)', '{0,1,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '[(0,0)]', '((0,0))', '<(0,0),0>'),
  (2, '(Infinity,-Infinity)', '{1,-1,0}', '[(NaN,0),(Infinity,1)]', '(Infinity,Infinity),(-Infinity,-Infinity)', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(2,0))', '<(1e300,-1e300),Infinity>'),
  (3, '(NaN,NaN)', '{-0,1,NaN}', '[(1,2),(3,4)]', '(1,2),(3,4)', '[(0,0),(1e-320,1),(2,0)]', '((NaN,0),(0,NaN))', '<(0.1,0.30000000000000004),1e-300>'),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE types.arrays (
  id integer PRIMARY KEY, a integer[], a2 integer[][], t text[], m types.mood[], p types.pair[], j jsonb[], n numeric[], ts timestamptz[], by bytea[],
  vec int2vector, ov oidvector, ci public.citext[], d types.int_array, dp types.pairs_ok, bx box[]);
INSERT INTO types.arrays VALUES
  (1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '', '', '{}', NULL, '{}', '{}'),
  (2, '[-5:-3]={1,NULL,3}', '[0:1][-2:-1]={{1,2},{3,4}}', ARRAY['', 'NULL', NULL, '\N', '\.', '"', '''', '{', ',', E'\t\n\r', ' ', '\'],
      ARRAY['it''s "ok"', 'a,b', '', 'NULL', NULL, '{brace}', 'back\slash', ' space ']::types.mood[],
      ARRAY[ROW(1, 'a,"b"', 'a,b'), NULL, ROW(NULL, NULL, NULL), ROW(2, '', '')]::types.pair[], ARRAY['{"a": "b,\"c"}', NULL, 'null']::jsonb[],
      '{NaN,Infinity,-Infinity,0.10}', '{infinity,"2020-01-01 00:00:00+00"}', ARRAY['\x00ff', '', NULL]::bytea[], '1 2 3', '4 5', ARRAY['A', 'a']::public.citext[], '{1,2}', ARRAY[ROW(1, 'x', 'sad')]::types.pair[], '{(1,1),(0,0);(2,2),(1,1)}'),
  (3, '[2147483640:2147483642]={7,8,9}', '{{{1,2},{3,4}},{{5,6},{7,8}}}', '[3:4][0:0]={{a},{b}}', '[0:1]={sad,zeroth}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[1:2]={5,6}', NULL, NULL),
  (4, '{{{{{{1}}}}}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO types.arrays (id, a) SELECT 5, array_agg(i) FROM generate_series(1, 20000) i;

CREATE TABLE types.ranges (
  id integer PRIMARY KEY, i4 int4range, i8 int8range, n numrange, d daterange, ts tsrange, tz tstzrange, f types.float_range, t types.text_range,
  mi4 int4multirange, mn nummultirange, mts tstzmultirange, mf types."Float Multirange", ar int4range[]);
INSERT INTO types.ranges VALUES
  (1, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', '{}', '{}', '{}', '{}', '{}'),
  (2, '(,)', '[,5]', '(1.10,2.20]', '[2020-01-01,infinity)', '(-infinity,infinity)', '["2020-01-01 00:00:00+00",)', '[-Infinity,NaN]', '["a,b","c""d\\]"]', '{[1,2),[5,9),(,-10)}', '{(,)}', '{["2020-01-01 00:00:00+00","2021-01-01 00:00:00+00"]}', '{[-0,1.5),(2,Infinity]}', ARRAY['[1,2)', 'empty', NULL]::int4range[]),
  (3, '[1,1]', '(1,3)', '[NaN,NaN]', '(,2020-01-01]', NULL, NULL, '(0.1,0.2)', '(,"")', NULL, NULL, NULL, NULL, NULL);

CREATE TABLE types.composites (
  id integer PRIMARY KEY, m types.mood, p types.pair, n types.nested, al types.altered, nc types.no_columns, pos types.positive, sp types.small_positive, po types.pair_ok, em types.email, "table row" types.numbers);
INSERT INTO types.composites VALUES
  (1, '', ROW(1, '', ''), ROW(1, ROW(1, '(",\', 'a,b'), ARRAY[ROW(1, E'\n', 'NULL')]::types.pair[], 1.5), ROW(1, 'c', '2020-01-01'), ROW(), 1, 999, ROW(1, 'x', 'sad'), 'Some.One@Example.org', (SELECT r FROM types.numbers r WHERE id = 2)),
  (2, 'before, ''happy''', ROW(NULL, NULL, NULL), ROW(NULL, NULL, NULL, NULL), NULL, NULL, 2147483647, 1, NULL, 'x@y', NULL),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'żółć@🐘', NULL),
  (4, 'zeroth', ROW(-1, '\N', 'back\slash'), NULL, NULL, NULL, DEFAULT, 5, NULL, DEFAULT, NULL);

-- a domain constraint that its own rows break
CREATE TABLE types.late_domain (id integer PRIMARY KEY, l types.late);
INSERT INTO types.late_domain VALUES (1, 'too long for the constraint to come'), (2, 'ok');
ALTER DOMAIN types.late ADD CONSTRAINT short CHECK (length(VALUE) < 5) NOT VALID;
COMMIT;

-- ------------------------------------------------------------------------------------------------ code
BEGIN;
CREATE FUNCTION code.add(a integer, b integer DEFAULT 1) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT a + b $$;
CREATE FUNCTION code.atomic_add(a integer, b integer DEFAULT code.add(1, 2)) RETURNS integer LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT code.add(a, b); END;
CREATE FUNCTION code.atomic_return(t text) RETURNS text LANGUAGE sql IMMUTABLE RETURN upper(t) || ' it''s "\N"';
CREATE FUNCTION code.variadic_sum(VARIADIC nums numeric[] DEFAULT '{1,2}') RETURNS numeric LANGUAGE sql AS $$ SELECT sum(n) FROM unnest(nums) n $$;
CREATE FUNCTION code.rows_of(n integer, OUT i integer, OUT "Quoted ""Name""" text) RETURNS SETOF record LANGUAGE plpgsql ROWS 7 COST 3 AS $fn$
BEGIN
  FOR i IN 1..n LOOP "Quoted ""Name""" := $$it's \$$ || i; RETURN NEXT; END LOOP;
END $fn$;
CREATE FUNCTION code.table_of(n integer) RETURNS TABLE (a integer, b types.mood) LANGUAGE sql STABLE AS $$ SELECT i, 'sad'::types.mood FROM generate_series(1, n) i $$;
CREATE FUNCTION code.definer() RETURNS name LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, "we ird" SET work_mem = '8MB' SET datestyle = 'SQL, DMY' AS 'SELECT current_user';
CREATE FUNCTION code.poly(anyelement, anyarray) RETURNS anyarray LANGUAGE sql IMMUTABLE AS 'SELECT array_append($2, $1)';
CREATE FUNCTION code.support_me(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF RETURNS NULL ON NULL INPUT PARALLEL RESTRICTED AS 'BEGIN RETURN $1 = ''\N''; END';
CREATE FUNCTION code."Name with ""quotes"", spaces (and) 🐘"(character varying, numeric(5,2), types."Colour", timestamp with time zone, "char") RETURNS void LANGUAGE plpgsql AS $body$
-- a comment with ; and $$ and $_$ and '
BEGIN
  RAISE DEBUG 'body with "quotes" % and \ and $function$', $1;
END
$body$;
CREATE FUNCTION code.trg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(NEW, OLD); END $$;
CREATE FUNCTION code.trg_forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'this trigger must not fire while data are loaded'; END $$;
CREATE FUNCTION code.evt() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE PROCEDURE code.proc(INOUT a integer DEFAULT 5, IN b text DEFAULT E'tab\tnew\nline') LANGUAGE plpgsql AS $$ BEGIN a := a + length(b); END $$;
CREATE PROCEDURE code.atomic_proc(n integer) LANGUAGE sql BEGIN ATOMIC SELECT code.add(n); SELECT 2; END;
CREATE FUNCTION code.overloaded(integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'integer' $$;
CREATE FUNCTION code.overloaded(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'text' $$;
CREATE FUNCTION code.overloaded(VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'variadic' $$;
-- refers to what does not exist: only a restore with check_function_bodies = off takes it
SET check_function_bodies = off;
CREATE FUNCTION code.broken() RETURNS integer LANGUAGE sql AS $$ SELECT no_such_column FROM no_such_schema.no_such_table $$;
SET check_function_bodies = on;
COMMENT ON FUNCTION code.add(integer, integer) IS E'it''s a "function"\nof two lines';
COMMENT ON PROCEDURE code.proc(integer, text) IS 'a procedure';

CREATE FUNCTION code.acc(state bigint, v integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(state, 0) + coalesce(v, 0)';
CREATE FUNCTION code.unacc(state bigint, v integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT coalesce(state, 0) - coalesce(v, 0)';
CREATE AGGREGATE code."Sum it"(integer) (SFUNC = code.acc, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE,
  MSFUNC = code.acc, MINVFUNC = code.unacc, MSTYPE = bigint, MINITCOND = '0');
CREATE AGGREGATE code.any_of(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE code.count_all(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE code.first_min(integer) (SFUNC = int4smaller, STYPE = integer, SORTOP = <);
COMMENT ON AGGREGATE code."Sum it"(integer) IS 'an aggregate';

CREATE FUNCTION code.pair_lt(types.pair, types.pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.x < $2.x';
CREATE FUNCTION code.pair_gt(types.pair, types.pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.x > $2.x';
CREATE OPERATOR code.<<< (LEFTARG = types.pair, RIGHTARG = types.pair, FUNCTION = code.pair_lt, COMMUTATOR = OPERATOR(code.>>>), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR code.>>> (LEFTARG = types.pair, RIGHTARG = types.pair, FUNCTION = code.pair_gt, COMMUTATOR = OPERATOR(code.<<<));
CREATE FUNCTION code.not_it(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = 0';
CREATE OPERATOR code.!! (RIGHTARG = integer, FUNCTION = code.not_it);
COMMENT ON OPERATOR code.!! (NONE, integer) IS 'a prefix operator';

CREATE FUNCTION code.int4_cmp_reversed(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR FAMILY code.reversed_family USING btree;
CREATE OPERATOR CLASS code.int4_reversed FOR TYPE integer USING btree FAMILY code.reversed_family AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 code.int4_cmp_reversed(integer, integer);
COMMENT ON OPERATOR CLASS code.int4_reversed USING btree IS 'integers, the other way round';
CREATE OPERATOR FAMILY code.lonely_family USING hash;

CREATE FUNCTION code.pair_to_text(types.pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.x::text';
CREATE CAST (types.pair AS text) WITH FUNCTION code.pair_to_text(types.pair) AS ASSIGNMENT;
CREATE CAST (types."Colour" AS public.citext) WITH INOUT;
CREATE CAST (types.mybase AS integer) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (types.pair AS text) IS 'a cast';

CREATE CONVERSION code.my_conversion FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE TEXT SEARCH TEMPLATE code.my_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH PARSER code.my_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, HEADLINE = prsd_headline, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH DICTIONARY code."My Dict" (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY code.plain_dict (TEMPLATE = code.my_template);
CREATE TEXT SEARCH CONFIGURATION code.my_config (PARSER = code.my_parser);
ALTER TEXT SEARCH CONFIGURATION code.my_config ADD MAPPING FOR asciiword, word WITH code."My Dict", code.plain_dict, english_stem;
ALTER TEXT SEARCH CONFIGURATION code.my_config ADD MAPPING FOR int, email WITH simple;
COMMENT ON TEXT SEARCH CONFIGURATION code.my_config IS 'it''s ours';
COMMENT ON TEXT SEARCH DICTIONARY code."My Dict" IS 'a dictionary';

CREATE ACCESS METHOD nasty_heap TYPE TABLE HANDLER heap_tableam_handler;
COMMENT ON ACCESS METHOD nasty_heap IS 'heap by another name';

-- ---------------------------------------------------------------------------------------------- app: columns and keys
CREATE TABLE app.customers (
  id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME app."cust id; seq" START WITH 1000 INCREMENT BY 7 CACHE 5) PRIMARY KEY,
  name text NOT NULL COLLATE "C",
  email types.email,
  mood types.mood DEFAULT 'it''s "ok"',
  name_upper text GENERATED ALWAYS AS (upper(name)) STORED,
  twice_id bigint GENERATED ALWAYS AS (id * 2) STORED,
  extra jsonb NOT NULL DEFAULT '{"a": "b''c\\N"}',
  tags text[] DEFAULT ARRAY['x', 'y,z'],
  created timestamptz NOT NULL DEFAULT '2026-01-01 00:00:00+00',
  CONSTRAINT "name's length" CHECK (length(name) > 0 AND name <> E'\n'),
  CONSTRAINT "not inherited" CHECK (id > 0) NO INHERIT
) WITH (fillfactor = 70, autovacuum_enabled = false, autovacuum_vacuum_scale_factor = 0.05, toast_tuple_target = 256, parallel_workers = 2, toast.autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 77);
INSERT INTO app.customers (name, email, mood, created)
  SELECT 'customer ' || i, ('c' || i || '@Example.org')::public.citext, (ARRAY['sad', 'a,b', '', 'happy', 'żółć 🐘'])[1 + i % 5]::types.mood, '2026-01-01 00:00:00+00'::timestamptz + i * interval '1 hour'
  FROM generate_series(1, 500) i;
COMMENT ON TABLE app.customers IS E'it''s "the" table\nwith\ttwo lines \\ and 🐘; --';
COMMENT ON COLUMN app.customers.name IS E'column''s comment \\N';
COMMENT ON CONSTRAINT "name's length" ON app.customers IS 'constraint comment';
ALTER TABLE app.customers ALTER COLUMN name SET STATISTICS 500, ALTER COLUMN name SET STORAGE EXTERNAL, ALTER COLUMN extra SET COMPRESSION pglz,
  ALTER COLUMN mood SET (n_distinct = -0.5), ALTER COLUMN tags SET STORAGE MAIN;
CREATE UNIQUE INDEX customers_email ON app.customers (email) INCLUDE (name, created);
CREATE INDEX customers_expr ON app.customers (lower(name), (extra -> 'a')) WHERE mood <> 'sad' AND name IS NOT NULL;
ALTER INDEX app.customers_expr ALTER COLUMN 2 SET STATISTICS 333;
CREATE INDEX customers_brin ON app.customers USING brin (created) WITH (pages_per_range = 4, autosummarize = true);
CREATE INDEX customers_gin ON app.customers USING gin (extra jsonb_path_ops, tags) WITH (fastupdate = off);
CREATE INDEX customers_trgm ON app.customers USING gin (name public.gin_trgm_ops);
CREATE INDEX customers_trgm_gist ON app.customers USING gist (name public.gist_trgm_ops (siglen = 32));
CREATE INDEX customers_fts ON app.customers USING gin (to_tsvector('code.my_config'::regconfig, name));
CREATE INDEX customers_hash ON app.customers USING hash (name);
CREATE INDEX customers_sorted ON app.customers (created DESC NULLS LAST, name COLLATE types."c, Again" text_pattern_ops DESC) WITH (fillfactor = 50, deduplicate_items = off);
CREATE INDEX customers_own_class ON app.customers ((id::integer) code.int4_reversed);
CREATE INDEX "index's ""name"" 🐘" ON app.customers (code.atomic_add(id::integer, 5));
COMMENT ON INDEX app."index's ""name"" 🐘" IS 'index comment; it''s "here"';
ALTER TABLE app.customers CLUSTER ON customers_pkey;
CREATE STATISTICS app.cust_stats (ndistinct, dependencies, mcv) ON name, mood, created FROM app.customers;
CREATE STATISTICS app."expr stats" ON (lower(name)), (extra ->> 'a'), mood FROM app.customers;
ALTER STATISTICS app.cust_stats SET STATISTICS 77;
COMMENT ON STATISTICS app.cust_stats IS 'statistics object';
ANALYZE app.customers;

CREATE TABLE app.by_default (
  id integer GENERATED BY DEFAULT AS IDENTITY (START WITH -5 INCREMENT BY -3 MINVALUE -1000 MAXVALUE 0 CYCLE), s serial, "Big Serial" bigserial, small smallserial, note text DEFAULT E'line\nbreak ''quoted''',
  w text GENERATED ALWAYS AS (coalesce(note, '\N') || E'\t') STORED, uq integer, CONSTRAINT uq_nnd UNIQUE NULLS NOT DISTINCT (uq) INCLUDE (note), CONSTRAINT uq_def UNIQUE (s) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.by_default (note, uq) SELECT CASE WHEN i % 3 = 0 THEN NULL ELSE 'note ' || i END, CASE WHEN i = 5 THEN NULL ELSE i END FROM generate_series(1, 40) i;
INSERT INTO app.by_default (id, note, uq) VALUES (77, 'given', -1);
ALTER SEQUENCE app.by_default_s_seq RENAME TO "renamed ""serial"" seq";
ALTER TABLE app.by_default REPLICA IDENTITY FULL;
CREATE TABLE app.borrows_sequence (id bigint DEFAULT nextval('app."renamed ""serial"" seq"'::regclass) PRIMARY KEY, v types.positive);
INSERT INTO app.borrows_sequence (v) SELECT i FROM generate_series(1, 10) i;
ALTER TABLE app.borrows_sequence REPLICA IDENTITY USING INDEX borrows_sequence_pkey;

CREATE TABLE app.only_generated (g integer GENERATED ALWAYS AS (1 + 1) STORED, h text GENERATED ALWAYS AS ('const' || E'\n') STORED);
INSERT INTO app.only_generated SELECT FROM generate_series(1, 6);
CREATE TABLE app.zero_columns ();
INSERT INTO app.zero_columns SELECT FROM generate_series(1, 7);
CREATE TABLE app.zero_columns_empty ();
CREATE TABLE app.all_dropped (a integer, b text);
INSERT INTO app.all_dropped SELECT i, 'x' FROM generate_series(1, 9) i;
ALTER TABLE app.all_dropped DROP COLUMN a, DROP COLUMN b;
CREATE TABLE app.middle_dropped (a integer, gone1 text, b text, gone2 integer NOT NULL, c date, gone3 types.mood);
INSERT INTO app.middle_dropped SELECT i, 'gone', 'b' || i, i, '2026-01-01'::date + i, 'sad' FROM generate_series(1, 100) i;
ALTER TABLE app.middle_dropped DROP COLUMN gone1, DROP COLUMN gone2, DROP COLUMN gone3;
ALTER TABLE app.middle_dropped ADD COLUMN fast_default text NOT NULL DEFAULT 'fast''default', ADD COLUMN volatile_default integer DEFAULT 42;
INSERT INTO app.middle_dropped (a, b) SELECT i, NULL FROM generate_series(101, 110) i;
CREATE TABLE app.empty (id integer PRIMARY KEY, t text);
CREATE TABLE app.emptied (id integer, t text) WITH (autovacuum_enabled = false);
INSERT INTO app.emptied SELECT i, 'dead row' FROM generate_series(1, 2000) i;
DELETE FROM app.emptied;
CREATE TABLE app.one_null (n text);
INSERT INTO app.one_null VALUES (NULL), (''), ('\N'), ('\.'), (NULL);
CREATE TABLE app.typed OF types.pair (x WITH OPTIONS PRIMARY KEY, "Y why" WITH OPTIONS DEFAULT 'typed');
INSERT INTO app.typed VALUES (1, DEFAULT, 'sad'), (2, '\.', '');
CREATE TABLE app.like_all (LIKE app.by_default INCLUDING ALL);
INSERT INTO app.like_all (s, "Big Serial", small, note, uq) VALUES (1, 2, 3, 'like', 4);
CREATE TABLE app.other_am (id integer PRIMARY KEY, t text) USING nasty_heap;
INSERT INTO app.other_am SELECT i, 'row ' || i FROM generate_series(1, 50) i;
CREATE UNLOGGED TABLE app.unlogged (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
INSERT INTO app.unlogged (t) SELECT 'unlogged ' || i FROM generate_series(1, 100) i;
CREATE TABLE app.updated_a_lot (id integer PRIMARY KEY, n integer) WITH (fillfactor = 50, autovacuum_enabled = false);
INSERT INTO app.updated_a_lot SELECT i, 0 FROM generate_series(1, 1000) i;
UPDATE app.updated_a_lot SET n = n + 1;
UPDATE app.updated_a_lot SET n = n + 1 WHERE id % 2 = 0;
DELETE FROM app.updated_a_lot WHERE id % 7 = 0;
COMMIT;

DO $$ BEGIN
  EXECUTE 'CREATE TABLE app.wide (' || (SELECT string_agg(format('%I %s', CASE i % 4 WHEN 0 THEN 'c' || i WHEN 1 THEN 'Col ' || i WHEN 2 THEN 'c"' || i ELSE 'ż' || i END,
    (ARRAY['boolean', 'smallint', 'text', '"char"'])[1 + i % 4]), ', ' ORDER BY i) FROM generate_series(1, 1200) i) || ')';
  EXECUTE 'INSERT INTO app.wide SELECT ' || (SELECT string_agg((ARRAY['NULL', 'g', '''''', '''x'''])[1 + i % 4], ', ' ORDER BY i) FROM generate_series(1, 1200) i) || ' FROM generate_series(1, 20) g';
END $$;

\if :is18
BEGIN;
CREATE TABLE app.virtual_generated (id integer PRIMARY KEY, a integer, v integer GENERATED ALWAYS AS (a * 2) VIRTUAL, s integer GENERATED ALWAYS AS (a * 3) STORED, "v t" text GENERATED ALWAYS AS ('it''s ' || id::text) VIRTUAL, after_all text);
INSERT INTO app.virtual_generated (id, a, after_all) SELECT i, i * 10, 'x' FROM generate_series(1, 100) i;
CREATE TABLE app.only_virtual (v integer GENERATED ALWAYS AS (3) VIRTUAL, w text GENERATED ALWAYS AS (E'\n'));
INSERT INTO app.only_virtual SELECT FROM generate_series(1, 4);
CREATE TABLE app.not_null_18 (a integer, b integer CONSTRAINT "b's not null" NOT NULL NO INHERIT, c integer);
INSERT INTO app.not_null_18 VALUES (NULL, 1, 1);
ALTER TABLE app.not_null_18 ADD CONSTRAINT a_late NOT NULL a NOT VALID;
ALTER TABLE app.not_null_18 ADD CONSTRAINT not_enforced CHECK (c > 100) NOT ENFORCED;
CREATE TABLE app.temporal (id int4range, valid daterange, t text, CONSTRAINT temporal_pk PRIMARY KEY (id, valid WITHOUT OVERLAPS));
INSERT INTO app.temporal VALUES ('[1,2)', '[2026-01-01,2026-02-01)', 'a'), ('[1,2)', '[2026-02-01,)', 'b');
CREATE TABLE app.temporal_child (id int4range, valid daterange, FOREIGN KEY (id, PERIOD valid) REFERENCES app.temporal (id, PERIOD valid));
INSERT INTO app.temporal_child VALUES ('[1,2)', '[2026-01-15,2026-03-01)');
COMMIT;
\endif

-- ---------------------------------------------------------------------------------------------- sequences
BEGIN;
CREATE SEQUENCE app.never_called START WITH 42;
CREATE SEQUENCE app.descending AS smallint INCREMENT BY -2 MINVALUE -30000 MAXVALUE 30000 START WITH 30000 CACHE 10 CYCLE;
SELECT nextval('app.descending'), nextval('app.descending') \g /dev/null
CREATE SEQUENCE app.set_not_called;
SELECT setval('app.set_not_called', 99, false) \g /dev/null
CREATE SEQUENCE app.bigint_max INCREMENT BY 1 MINVALUE 9223372036854775800 MAXVALUE 9223372036854775807 START WITH 9223372036854775800;
SELECT setval('app.bigint_max', 9223372036854775807, true) \g /dev/null
CREATE SEQUENCE app.bigint_min INCREMENT BY -1 MINVALUE -9223372036854775808 MAXVALUE -9223372036854775800 START WITH -9223372036854775800 NO CYCLE;
SELECT setval('app.bigint_min', -9223372036854775808, false) \g /dev/null
CREATE SEQUENCE "we ird"."seq "" with 🐘 and \ . $ * ?" AS integer MAXVALUE 5 CYCLE;
SELECT nextval('"we ird"."seq "" with 🐘 and \ . $ * ?"') FROM generate_series(1, 7) \g /dev/null
CREATE UNLOGGED SEQUENCE app.unlogged_seq START WITH 5;
SELECT nextval('app.unlogged_seq') \g /dev/null
CREATE SEQUENCE app.owned_elsewhere OWNED BY app.empty.id;
COMMENT ON SEQUENCE app.descending IS 'goes down; it''s odd';
COMMIT;

-- ---------------------------------------------------------------------------------------------- names
BEGIN;
CREATE TABLE "we ird"."ta ble" (" " integer PRIMARY KEY, "select" text, "a""b" text, "Upper" text, "c.d" text, "e$f" text, "g*h?" text, "i\j" text, "k
l" text, "żółć 🐘" text, "'q'" text, "x;--" text, "	tab" text, "%s" text, ":colon" text);
INSERT INTO "we ird"."ta ble" SELECT i, 'sel', 'a"b', 'U', '.', '$', '*?', '\', E'\n', '🐘', '''', ';--', E'\t', '%s', ':' FROM generate_series(1, 5) i;
COMMENT ON TABLE "we ird"."ta ble" IS 'it''s in a schema with a space';
COMMENT ON COLUMN "we ird"."ta ble"."k
l" IS E'two\nlines';
CREATE INDEX "idx ""q"" . $ * ? \ 🐘" ON "we ird"."ta ble" ("żółć 🐘", "i\j") WHERE "select" <> '\N';
CREATE TABLE "select"."table" ("from" integer PRIMARY KEY, "where" text CHECK ("where" <> ''), "user" name DEFAULT 'u', "order" integer, "group" integer UNIQUE);
INSERT INTO "select"."table" SELECT i, 'w', 'u', i, i FROM generate_series(1, 5) i;
CREATE TABLE "UPPER"."TABLE" ("ID" integer PRIMARY KEY, id text);
INSERT INTO "UPPER"."TABLE" VALUES (1, 'upper');
CREATE TABLE "UPPER"."table" (id integer PRIMARY KEY, "ID" text);
INSERT INTO "UPPER"."table" VALUES (1, 'lower'), (2, 'lower');
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."a.b$c*d?e\f""g'h[i](j)|k" ("a.b$c*d?e\f""g'h[i](j)|k" integer PRIMARY KEY);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."a.b$c*d?e\f""g'h[i](j)|k" SELECT generate_series(1, 11);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."*" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."*" VALUES (1);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."?" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."?" VALUES (1), (2);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."\" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."\" VALUES (1), (2), (3);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."""" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."""" VALUES (1), (2), (3), (4);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."." (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."." VALUES (5);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"." " (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"." " VALUES (6);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."\n" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."\n" VALUES (7);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."-- DROP; \connect" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."-- DROP; \connect" VALUES (8);
CREATE TABLE "a.b$c*d?e\f""g'h[i](j)|k"."-t" (i integer);
INSERT INTO "a.b$c*d?e\f""g'h[i](j)|k"."-t" VALUES (9);
CREATE TABLE "żółć 🐘
second line"."new
line \ table" ("col
umn" integer PRIMARY KEY, "ć" text);
INSERT INTO "żółć 🐘
second line"."new
line \ table" SELECT i, 'ć' FROM generate_series(1, 4) i;
COMMENT ON TABLE "żółć 🐘
second line"."new
line \ table" IS E'newline in every\nname';
CREATE TABLE "żółć 🐘
second line"."carriage
return" (i integer);
INSERT INTO "żółć 🐘
second line"."carriage
return" VALUES (1), (2);
DO $$ BEGIN -- 63 bytes: in ASCII, and in two-byte letters
  EXECUTE format('CREATE TABLE "we ird".%I (%I integer PRIMARY KEY, %I text)', repeat('n', 63), repeat('c', 63), repeat('ż', 31) || 'x');
  EXECUTE format('INSERT INTO "we ird".%I VALUES (1, ''63'')', repeat('n', 63));
  EXECUTE format('CREATE TABLE "we ird".%I (%I serial, %I integer GENERATED ALWAYS AS IDENTITY)', repeat('ż', 31) || 'x', repeat('ć', 31) || 'y', repeat('d', 63));
  EXECUTE format('INSERT INTO "we ird".%I (%I) VALUES (1), (2)', repeat('ż', 31) || 'x', repeat('ć', 31) || 'y');
  EXECUTE format('CREATE TABLE "we ird".%I (%I integer)', E'cr\rcrlf\r\ntab\t', E'\x01\x1b[31m');
  EXECUTE format('INSERT INTO "we ird".%I VALUES (3)', E'cr\rcrlf\r\ntab\t');
END $$;
COMMIT;

-- ---------------------------------------------------------------------------------------------- partitions
BEGIN;
CREATE TABLE parts.events (id bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL DEFAULT 'k', payload jsonb, size integer GENERATED ALWAYS AS (length(kind)) STORED, CONSTRAINT events_pk PRIMARY KEY (id, at, kind), CONSTRAINT "kind's" CHECK (kind <> '\N'))
  PARTITION BY RANGE (at);
CREATE TABLE parts.events_2025 PARTITION OF parts.events FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00');
CREATE TABLE parts.events_2026 PARTITION OF parts.events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00') PARTITION BY LIST (kind);
CREATE TABLE parts.events_2026_ab PARTITION OF parts.events_2026 FOR VALUES IN ('a', 'b''b', '') PARTITION BY HASH (id);
CREATE TABLE parts.events_2026_ab_0 PARTITION OF parts.events_2026_ab FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts.events_2026_ab_1 PARTITION OF parts.events_2026_ab FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE parts.events_2026_ab_3 PARTITION OF parts.events_2026_ab FOR VALUES WITH (MODULUS 4, REMAINDER 3) WITH (fillfactor = 60);
CREATE TABLE parts."events 2026 default" PARTITION OF parts.events_2026 DEFAULT;
-- another column order, a dropped column and another default in the leaf
CREATE TABLE parts.events_attached (payload jsonb, gone integer, kind text NOT NULL DEFAULT 'leaf''s own', at timestamptz NOT NULL, id bigint NOT NULL, size integer GENERATED ALWAYS AS (length(kind)) STORED, CONSTRAINT "kind's" CHECK (kind <> '\N'));
ALTER TABLE parts.events_attached DROP COLUMN gone;
ALTER TABLE parts.events ATTACH PARTITION parts.events_attached FOR VALUES FROM ('2027-01-01 00:00:00+00') TO ('2028-01-01 00:00:00+00');
CREATE TABLE parts.events_default PARTITION OF parts.events DEFAULT;
INSERT INTO parts.events (id, at, kind, payload)
  SELECT i, '2025-06-01 00:00:00+00'::timestamptz + i * interval '6 hours', (ARRAY['a', 'b''b', '', 'other', '\.'])[1 + i % 5], jsonb_build_object('i', i) FROM generate_series(1, 6000) i;
CREATE INDEX events_kind ON parts.events (kind, at DESC);
CREATE INDEX events_only ON ONLY parts.events (at);
CREATE INDEX events_only_attached ON parts.events_attached (at);
ALTER INDEX parts.events_only ATTACH PARTITION parts.events_only_attached;
CREATE INDEX events_leaf_only ON parts.events_2026_ab_0 (payload);
COMMENT ON TABLE parts.events IS 'partitioned; it''s deep';
COMMENT ON TABLE parts.events_2026_ab_0 IS 'a leaf';
CREATE TABLE parts.detached PARTITION OF parts.events FOR VALUES FROM ('2030-01-01 00:00:00+00') TO ('2031-01-01 00:00:00+00');
INSERT INTO parts.events VALUES (1, '2030-05-05 00:00:00+00', 'detached', NULL);
ALTER TABLE parts.events DETACH PARTITION parts.detached;

CREATE TABLE parts.by_list (region text, n integer, d date DEFAULT '2026-01-01') PARTITION BY LIST (region);
CREATE TABLE parts.by_list_null PARTITION OF parts.by_list FOR VALUES IN (NULL, 'NULL', '\N');
CREATE TABLE parts."by_list 'quoted'" PARTITION OF parts.by_list (n DEFAULT 7, CONSTRAINT "leaf's own" CHECK (n <> 13)) FOR VALUES IN ('it''s', E'new\nline', 'żółć 🐘');
CREATE TABLE parts.by_list_default PARTITION OF parts.by_list DEFAULT PARTITION BY RANGE (n, (d + 1));
CREATE TABLE parts.by_list_default_low PARTITION OF parts.by_list_default FOR VALUES FROM (MINVALUE, MINVALUE) TO (100, '2026-01-01');
CREATE UNLOGGED TABLE parts.by_list_default_rest PARTITION OF parts.by_list_default DEFAULT;
INSERT INTO parts.by_list (region, n) SELECT (ARRAY[NULL, 'NULL', '\N', 'it''s', E'new\nline', 'żółć 🐘', 'else', ''])[1 + i % 8], i + 20 FROM generate_series(1, 400) i;

CREATE TABLE parts.by_enum_hash (m types.mood, i integer, note text) PARTITION BY HASH (m);
CREATE TABLE parts.by_enum_hash_0 PARTITION OF parts.by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE parts.by_enum_hash_1 PARTITION OF parts.by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE parts.by_enum_hash_2 PARTITION OF parts.by_enum_hash FOR VALUES WITH (MODULUS 3, REMAINDER 2) PARTITION BY RANGE (i);
CREATE TABLE parts.by_enum_hash_2_low PARTITION OF parts.by_enum_hash_2 FOR VALUES FROM (MINVALUE) TO (50);
CREATE TABLE parts.by_enum_hash_2_high PARTITION OF parts.by_enum_hash_2 FOR VALUES FROM (50) TO (MAXVALUE);
INSERT INTO parts.by_enum_hash SELECT m, i, 'row ' || i FROM unnest(enum_range(NULL::types.mood)) WITH ORDINALITY e (m, o), generate_series(1, 100) i WHERE i % o = 0;

CREATE TABLE parts.by_enum_list (c types."Colour" NOT NULL, i integer) PARTITION BY LIST (c);
CREATE TABLE parts.by_enum_list_1 PARTITION OF parts.by_enum_list FOR VALUES IN ('GREEN; --');
CREATE TABLE parts.by_enum_list_2 PARTITION OF parts.by_enum_list DEFAULT;
INSERT INTO parts.by_enum_list VALUES ('GREEN; --', 1), ('red', 2), ('blue', 3);
CREATE TABLE parts.no_leaves (i integer) PARTITION BY RANGE (i);
CREATE TABLE parts.by_hash_text (t text COLLATE "C", u uuid, i integer) PARTITION BY HASH (t, u);
CREATE TABLE parts.by_hash_text_0 PARTITION OF parts.by_hash_text FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO parts.by_hash_text SELECT 't' || i, '00000000-0000-0000-0000-000000000001', i FROM generate_series(1, 30) i;
\if :is17
CREATE TABLE parts.with_identity (id bigint GENERATED ALWAYS AS IDENTITY, i integer) PARTITION BY RANGE (i);
CREATE TABLE parts.with_identity_1 PARTITION OF parts.with_identity DEFAULT;
INSERT INTO parts.with_identity (i) SELECT generate_series(1, 10);
\endif
COMMIT;

-- ---------------------------------------------------------------------------------------------- inheritance
BEGIN;
CREATE TABLE inh.named (id integer NOT NULL, name text DEFAULT 'parent', CONSTRAINT named_check CHECK (id <> 0));
CREATE TABLE inh.priced (price numeric(10,2), name text, currency char(3) DEFAULT 'PLN');
-- "name" and "currency" stand elsewhere than in the second parent
CREATE TABLE inh.product (own text, PRIMARY KEY (id)) INHERITS (inh.named, inh.priced);
CREATE TABLE inh.grandchild (extra integer DEFAULT 5) INHERITS (inh.product);
ALTER TABLE inh.grandchild ALTER COLUMN name SET DEFAULT 'grandchild''s', ALTER COLUMN own SET NOT NULL;
CREATE TABLE inh.merged (id integer, name text DEFAULT 'merged', more text) INHERITS (inh.named);
CREATE TABLE inh.adopted (id integer NOT NULL, name text, gone integer, later integer, CONSTRAINT named_check CHECK (id <> 0));
ALTER TABLE inh.adopted DROP COLUMN gone;
ALTER TABLE inh.adopted INHERIT inh.named;
CREATE TABLE inh.disowned () INHERITS (inh.named);
ALTER TABLE inh.disowned NO INHERIT inh.named;
CREATE TABLE inh.parent_altered (a integer, b text, c date);
CREATE TABLE inh.child_altered () INHERITS (inh.parent_altered);
ALTER TABLE inh.parent_altered DROP COLUMN b;
ALTER TABLE inh.parent_altered ADD COLUMN d integer DEFAULT 9;
ALTER TABLE inh.child_altered ADD COLUMN e text GENERATED ALWAYS AS ('g' || a) STORED;
ALTER TABLE inh.child_altered ALTER COLUMN d SET DEFAULT 10, ALTER COLUMN d SET STATISTICS 10;
INSERT INTO inh.named SELECT i, 'named ' || i FROM generate_series(1, 50) i;
INSERT INTO inh.priced SELECT i, 'priced ' || i FROM generate_series(1, 20) i;
INSERT INTO inh.product (id, name, price, own) SELECT i, 'product ' || i, i, 'own' FROM generate_series(101, 160) i;
INSERT INTO inh.grandchild (id, price, own) SELECT i, i, 'own' FROM generate_series(201, 230) i;
INSERT INTO inh.merged SELECT i, 'm', 'more' FROM generate_series(301, 310) i;
INSERT INTO inh.adopted SELECT i, 'a', i FROM generate_series(401, 410) i;
INSERT INTO inh.disowned SELECT i FROM generate_series(501, 510) i;
INSERT INTO inh.parent_altered SELECT i, '2026-01-01', i FROM generate_series(1, 10) i;
INSERT INTO inh.child_altered SELECT i, '2026-02-02', i FROM generate_series(11, 20) i;
\if :reorder
-- in the source (a, own, b) and (y, x): after a restore (a, b, own) and (x, y)
CREATE TABLE inh.reorder_parent (a integer);
CREATE TABLE inh.reorder_child (own text) INHERITS (inh.reorder_parent);
ALTER TABLE inh.reorder_parent ADD COLUMN b text;
INSERT INTO inh.reorder_child SELECT i, 'own ' || i, 'b ' || i FROM generate_series(1, 10) i;
CREATE TABLE inh.reorder_parent_2 (x integer, y integer);
CREATE TABLE inh.reorder_adopted (y integer, x integer);
ALTER TABLE inh.reorder_adopted INHERIT inh.reorder_parent_2;
INSERT INTO inh.reorder_adopted SELECT i, -i FROM generate_series(1, 10) i;
\endif
COMMIT;

-- ---------------------------------------------------------------------------------------------- constraints
BEGIN;
CREATE TABLE cons.chicken (id integer PRIMARY KEY, egg integer);
CREATE TABLE cons.egg (id integer PRIMARY KEY, chicken integer NOT NULL, CONSTRAINT "egg's chicken" FOREIGN KEY (chicken) REFERENCES cons.chicken DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE cons.chicken ADD CONSTRAINT chicken_egg FOREIGN KEY (egg) REFERENCES cons.egg ON UPDATE CASCADE ON DELETE SET NULL (egg) DEFERRABLE INITIALLY IMMEDIATE;
INSERT INTO cons.egg SELECT i, 101 - i FROM generate_series(1, 100) i;
INSERT INTO cons.chicken SELECT i, i FROM generate_series(1, 100) i;
CREATE TABLE cons.tree (id integer PRIMARY KEY, parent integer REFERENCES cons.tree ON DELETE CASCADE, name text, UNIQUE (parent, name));
INSERT INTO cons.tree SELECT i, CASE WHEN i < 1000 THEN i + 1 END, 'n' || i FROM generate_series(1, 1000) i;
CREATE TABLE cons.to_partitioned (id bigint, at timestamptz, kind text DEFAULT 'a', FOREIGN KEY (id, at, kind) REFERENCES parts.events MATCH FULL);
INSERT INTO cons.to_partitioned SELECT id, at, kind FROM parts.events WHERE id % 10 = 0;
CREATE TABLE cons.from_partitioned (id integer, ref integer REFERENCES cons.chicken ON DELETE SET DEFAULT DEFERRABLE) PARTITION BY HASH (id);
CREATE TABLE cons.from_partitioned_0 PARTITION OF cons.from_partitioned FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE cons.from_partitioned_1 PARTITION OF cons.from_partitioned FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO cons.from_partitioned SELECT i, 1 + i % 100 FROM generate_series(1, 200) i;
-- rows that break what is not validated
CREATE TABLE cons.not_valid (id integer, ref integer, t text);
INSERT INTO cons.not_valid VALUES (-1, 12345, 'breaks both'), (1, 1, 'fine'), (NULL, NULL, NULL);
ALTER TABLE cons.not_valid ADD CONSTRAINT positive CHECK (id > 0) NOT VALID, ADD CONSTRAINT ref_fk FOREIGN KEY (ref) REFERENCES cons.chicken NOT VALID;
COMMENT ON CONSTRAINT ref_fk ON cons.not_valid IS 'not valid';
CREATE TABLE cons.booking (room int4range, during tstzrange, cancelled boolean DEFAULT false, CONSTRAINT "no overlap" EXCLUDE USING gist (room WITH &&, during WITH &&) WHERE (NOT cancelled) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO cons.booking SELECT int4range(i, i + 1), tstzrange('2026-01-01 00:00:00+00', '2026-02-01 00:00:00+00') FROM generate_series(1, 50) i;
CREATE TABLE cons.checks (a integer CHECK (a > 0), b integer, c text, CHECK (a > b OR b IS NULL), CONSTRAINT "calls us" CHECK (code.add(a) > 1), CONSTRAINT no_row_type CHECK (c IS DISTINCT FROM '\.'));
INSERT INTO cons.checks VALUES (3, 2, 'x'), (1, NULL, '\N');
CREATE TABLE cons.functional (id integer PRIMARY KEY, name text, total numeric);
INSERT INTO cons.functional SELECT i, 'f' || i % 5, i FROM generate_series(1, 50) i;
COMMIT;

-- ---------------------------------------------------------------------------------------------- views, rules, triggers
BEGIN;
CREATE VIEW app.plain AS SELECT id, name, extra ->> 'a' AS "a 'quoted'", E'\n\\' AS "new
line" FROM app.customers WHERE name LIKE 'customer 1%' ORDER BY created DESC;
CREATE VIEW app.barrier WITH (security_barrier = true, security_invoker = true) AS SELECT * FROM app.customers WHERE mood = 'sad';
CREATE VIEW app.checked AS SELECT id, uq, note FROM app.by_default WHERE uq > 0 WITH CASCADED CHECK OPTION;
CREATE VIEW app.checked_local AS SELECT * FROM app.checked WHERE uq < 1000 WITH LOCAL CHECK OPTION;
ALTER VIEW app.checked ALTER COLUMN note SET DEFAULT 'view''s own default';
CREATE RECURSIVE VIEW cons.ancestors (id, parent, depth) AS
  SELECT id, parent, 0 FROM cons.tree WHERE parent IS NULL UNION ALL SELECT t.id, t.parent, a.depth + 1 FROM cons.tree t JOIN ancestors a ON t.parent = a.id;
-- grouped by the primary key alone: the view cannot come before that key
CREATE VIEW cons.by_primary_key AS SELECT id, name, sum(total) AS total FROM cons.functional GROUP BY id;
CREATE VIEW app.no_columns AS SELECT FROM app.customers;
CREATE VIEW code.uses_operators AS SELECT a OPERATOR(code.<<<) b AS lt, OPERATOR(code.!!) (a).x AS neg, code."Sum it"((a).x) OVER (ORDER BY (a).x) AS running, a::text AS cast_up
  FROM (VALUES (ROW(1, 'a', 'sad')::types.pair, ROW(2, 'b', 'sad')::types.pair)) v (a, b);
CREATE VIEW app."View ""with"" 🐘" AS SELECT c.*, t."k
l" FROM app.customers c JOIN "we ird"."ta ble" t ON t." " = c.id WHERE c.email = 'X@example.org' AND c.mood IN ('a,b', 'it''s "ok"');
CREATE VIEW app.instead AS SELECT id, name FROM app.customers;
CREATE VIEW app.all_events AS SELECT * FROM parts.events;
-- two views that use each other, by way of a rule
CREATE VIEW app.loop_a AS SELECT 1 AS i;
CREATE VIEW app.loop_b AS SELECT i FROM app.loop_a;
CREATE OR REPLACE VIEW app.loop_a AS SELECT 1 AS i WHERE EXISTS (SELECT FROM pg_class);
COMMENT ON VIEW app.plain IS 'a view; it''s "plain"';
COMMENT ON COLUMN app.plain."a 'quoted'" IS 'a view''s column';

CREATE MATERIALIZED VIEW app.mat AS SELECT mood, count(*) AS n, max(created) AS newest FROM app.customers GROUP BY mood;
CREATE UNIQUE INDEX mat_mood ON app.mat (mood);
CREATE MATERIALIZED VIEW app.a_mat_on_mat AS SELECT sum(n) AS total FROM app.mat;
CREATE MATERIALIZED VIEW app.mat_on_view WITH (fillfactor = 50) AS SELECT * FROM app.a_mat_on_mat, app.loop_b;
CREATE MATERIALIZED VIEW app.mat_no_data AS SELECT id, name FROM app.customers WITH NO DATA;
CREATE INDEX mat_no_data_id ON app.mat_no_data (id);
CREATE MATERIALIZED VIEW cons.mat_by_primary_key AS SELECT * FROM cons.by_primary_key;
COMMENT ON MATERIALIZED VIEW app.mat IS 'a materialised view';

CREATE TABLE app.ruled (i integer, t text);
INSERT INTO app.ruled SELECT i, 'r' FROM generate_series(1, 10) i;
CREATE TABLE app.rule_log (i integer, what text);
CREATE RULE "log's rule" AS ON INSERT TO app.ruled DO ALSO INSERT INTO app.rule_log VALUES (NEW.i, E'ins''ert\n');
CREATE RULE notify_rule AS ON INSERT TO app.rule_log DO ALSO NOTIFY "nasty's channel";
CREATE RULE no_delete AS ON DELETE TO app.ruled DO INSTEAD NOTHING;
CREATE RULE upd AS ON UPDATE TO app.ruled WHERE OLD.i <> NEW.i DO INSTEAD (INSERT INTO app.rule_log VALUES (OLD.i, 'one'); UPDATE app.rule_log SET what = 'two' WHERE i = NEW.i);
ALTER TABLE app.ruled DISABLE RULE upd;
ALTER TABLE app.ruled ENABLE ALWAYS RULE no_delete;
CREATE RULE ins_view AS ON INSERT TO app.loop_b DO INSTEAD INSERT INTO app.rule_log VALUES (NEW.i) RETURNING i;
COMMENT ON RULE no_delete ON app.ruled IS 'a rule';

CREATE TRIGGER instead_of INSTEAD OF INSERT OR UPDATE OR DELETE ON app.instead FOR EACH ROW EXECUTE FUNCTION code.trg('arg one', 'it''s', E'back\\slash\n');
CREATE TRIGGER "Row's trigger" BEFORE INSERT OR UPDATE OF name, extra ON app.customers FOR EACH ROW WHEN (NEW.name <> '\N') EXECUTE FUNCTION code.trg();
CREATE TRIGGER stmt AFTER TRUNCATE OR DELETE ON app.customers FOR EACH STATEMENT EXECUTE FUNCTION code.trg();
CREATE TRIGGER transitions AFTER UPDATE ON app.customers REFERENCING OLD TABLE AS "old t" NEW TABLE AS new_t FOR EACH STATEMENT EXECUTE FUNCTION code.trg();
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE ON app.customers FROM app.by_default DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION code.trg();
CREATE TRIGGER disabled BEFORE INSERT ON app.customers FOR EACH ROW EXECUTE FUNCTION code.trg_forbid();
ALTER TABLE app.customers DISABLE TRIGGER disabled;
CREATE TRIGGER replica BEFORE INSERT ON app.customers FOR EACH ROW EXECUTE FUNCTION code.trg();
ALTER TABLE app.customers ENABLE REPLICA TRIGGER replica;
CREATE TRIGGER always BEFORE DELETE ON app.customers FOR EACH ROW EXECUTE FUNCTION code.trg();
ALTER TABLE app.customers ENABLE ALWAYS TRIGGER always;
-- a restore that loads data with triggers in place fails here
CREATE TRIGGER no_more_rows BEFORE INSERT ON app.middle_dropped FOR EACH ROW EXECUTE FUNCTION code.trg_forbid();
ALTER TABLE app.middle_dropped ENABLE ALWAYS TRIGGER no_more_rows;
CREATE TRIGGER on_partitioned AFTER INSERT ON parts.events FOR EACH ROW EXECUTE FUNCTION code.trg();
ALTER TABLE parts.events_2025 DISABLE TRIGGER on_partitioned;
CREATE TRIGGER on_leaf BEFORE UPDATE ON parts.events_attached FOR EACH ROW EXECUTE FUNCTION code.trg();
COMMENT ON TRIGGER "Row's trigger" ON app.customers IS 'trigger comment';
COMMIT;

-- ---------------------------------------------------------------------------------------------- row security, privileges, owners
BEGIN;
CREATE TABLE priv.secured (id integer PRIMARY KEY, owner name, body text);
INSERT INTO priv.secured SELECT i, CASE WHEN i % 2 = 0 THEN 'nasty_owner' ELSE 'nasty_login' END, 'secret ' || i FROM generate_series(1, 200) i;
ALTER TABLE priv.secured OWNER TO nasty_owner;
ALTER TABLE priv.secured ENABLE ROW LEVEL SECURITY;
ALTER TABLE priv.secured FORCE ROW LEVEL SECURITY;
CREATE POLICY "owner's rows" ON priv.secured USING (owner = current_user) WITH CHECK (owner = current_user AND body <> '\N');
CREATE POLICY restrictive ON priv.secured AS RESTRICTIVE FOR SELECT TO "Nasty Reader", nasty_login USING (id > 0);
CREATE POLICY ins ON priv.secured FOR INSERT TO PUBLIC WITH CHECK (EXISTS (SELECT FROM app.customers c WHERE c.id = secured.id));
COMMENT ON POLICY "owner's rows" ON priv.secured IS 'policy; it''s "here"';
-- no policy at all: nobody but the owner sees a row
CREATE TABLE priv.closed (id integer);
INSERT INTO priv.closed SELECT generate_series(1, 30);
ALTER TABLE priv.closed ENABLE ROW LEVEL SECURITY;
ALTER TABLE priv.closed OWNER TO nasty_login;
ALTER TABLE parts.by_list ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON parts.by_list USING (false);

CREATE TABLE priv.columns (id integer, public_part text, secret text, "Odd ""one""" text);
INSERT INTO priv.columns VALUES (1, 'p', 's', 'o');
ALTER TABLE priv.columns OWNER TO nasty_owner;
GRANT SELECT (id, public_part), UPDATE ("Odd ""one""") ON priv.columns TO "Nasty Reader";
GRANT INSERT (id), REFERENCES (id) ON priv.columns TO nasty_login WITH GRANT OPTION;
GRANT SELECT (id) ON priv.columns TO PUBLIC;
GRANT SELECT, INSERT ON app.customers TO "Nasty Reader" WITH GRANT OPTION;
GRANT ALL ON app.by_default TO nasty_owner;
GRANT SELECT ON app.plain, app.mat TO PUBLIC;
GRANT TRUNCATE, TRIGGER ON app.empty TO nasty_login;
CREATE TABLE priv.owner_has_nothing (i integer);
INSERT INTO priv.owner_has_nothing VALUES (1), (2);
ALTER TABLE priv.owner_has_nothing OWNER TO nasty_owner;
REVOKE ALL ON priv.owner_has_nothing FROM nasty_owner;
GRANT USAGE ON SCHEMA app, "we ird", priv TO "Nasty Reader";
GRANT USAGE, CREATE ON SCHEMA priv TO nasty_login WITH GRANT OPTION;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO "Nasty Reader";
GRANT USAGE ON SEQUENCE app.never_called TO PUBLIC;
GRANT SELECT, UPDATE ON SEQUENCE app.descending TO "Nasty Reader" WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION code.definer() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION code.definer() TO nasty_login WITH GRANT OPTION;
GRANT EXECUTE ON PROCEDURE code.proc(integer, text) TO "Nasty Reader";
REVOKE ALL ON TYPE types.mood FROM PUBLIC;
GRANT USAGE ON TYPE types.mood, types.positive TO "Nasty Reader";
GRANT USAGE ON LANGUAGE plpgsql TO nasty_login;
-- a grant by someone else than the owner
GRANT SELECT ON priv.columns TO nasty_login WITH GRANT OPTION;
SET ROLE nasty_login;
GRANT SELECT ON priv.columns TO "Nasty Reader";
RESET ROLE;
ALTER FUNCTION code.definer() OWNER TO nasty_owner;
ALTER VIEW app.plain OWNER TO nasty_owner;
-- it can be refreshed only once the grant is restored, too
ALTER MATERIALIZED VIEW app.mat OWNER TO nasty_owner;
GRANT SELECT ON app.customers TO nasty_owner;
ALTER SEQUENCE app.bigint_max OWNER TO "Nasty Reader";
ALTER TYPE types."Colour" OWNER TO nasty_owner;
ALTER DOMAIN types.positive OWNER TO "Nasty Reader";
ALTER SCHEMA "we ird" OWNER TO "Nasty Reader";
ALTER TABLE "we ird"."ta ble" OWNER TO "Nasty Reader";
ALTER TABLE parts.events_2025 OWNER TO nasty_owner;
ALTER AGGREGATE code."Sum it"(integer) OWNER TO nasty_owner;
ALTER OPERATOR code.!! (NONE, integer) OWNER TO nasty_owner;
ALTER TEXT SEARCH CONFIGURATION code.my_config OWNER TO nasty_owner;
ALTER STATISTICS app.cust_stats OWNER TO nasty_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE nasty_owner GRANT SELECT ON TABLES TO "Nasty Reader";
ALTER DEFAULT PRIVILEGES FOR ROLE nasty_owner IN SCHEMA priv GRANT INSERT, UPDATE ON TABLES TO nasty_login WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE nasty_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE nasty_owner GRANT USAGE ON SCHEMAS TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "Nasty Reader" IN SCHEMA "we ird" GRANT USAGE ON SEQUENCES TO nasty_login;
ALTER DEFAULT PRIVILEGES FOR ROLE "Nasty Reader" REVOKE USAGE ON TYPES FROM PUBLIC;
COMMIT;

-- ---------------------------------------------------------------------------------------------- foreign data
BEGIN;
CREATE FOREIGN DATA WRAPPER dummy OPTIONS (debug 'it''s true');
CREATE SERVER "dummy server" TYPE 'ty''pe' VERSION '1.0' FOREIGN DATA WRAPPER dummy OPTIONS (host 'no"where', "odd option" E'a\\b');
CREATE USER MAPPING FOR PUBLIC SERVER "dummy server" OPTIONS (password 'se''cret');
CREATE USER MAPPING FOR "Nasty Reader" SERVER "dummy server" OPTIONS ("user" 'remote');
CREATE FOREIGN TABLE app.foreign_table (id integer OPTIONS (column_name 'far id') NOT NULL, t text DEFAULT 'x', CONSTRAINT c CHECK (id > 0)) SERVER "dummy server" OPTIONS (path '/no/where');
-- its root cannot be read, and a database-wide ANALYZE fails here
CREATE TABLE parts.with_foreign (region text, n integer) PARTITION BY LIST (region);
CREATE TABLE parts.with_foreign_here PARTITION OF parts.with_foreign FOR VALUES IN ('here');
CREATE FOREIGN TABLE parts.foreign_leaf PARTITION OF parts.with_foreign FOR VALUES IN ('abroad') SERVER "dummy server";
INSERT INTO parts.with_foreign SELECT 'here', generate_series(1, 25);
COMMENT ON FOREIGN DATA WRAPPER dummy IS 'without a handler';
COMMENT ON SERVER "dummy server" IS 'nowhere';
COMMENT ON FOREIGN TABLE app.foreign_table IS 'cannot be read';
GRANT USAGE ON FOREIGN DATA WRAPPER dummy TO nasty_owner;
GRANT USAGE ON FOREIGN SERVER "dummy server" TO nasty_login WITH GRANT OPTION;
ALTER SERVER "dummy server" OWNER TO nasty_owner;
COMMIT;

-- ---------------------------------------------------------------------------------------------- big
BEGIN;
SELECT setseed(0.42) \g /dev/null
-- ten megabytes in more than a thousand pages, and a hole of empty ones
CREATE TABLE big.events (id bigint PRIMARY KEY, at timestamptz NOT NULL, amount numeric(12,2), kind text, note text) WITH (autovacuum_enabled = false);
INSERT INTO big.events SELECT i, '2020-01-01 00:00:00+00'::timestamptz + i * interval '97 seconds', round((random() * 10000)::numeric, 2), (ARRAY['sale', 'refund', '\N', NULL, 'fee'])[1 + i % 5],
  md5(i::text) || CASE WHEN i % 100 = 0 THEN E'\tta\\b\n' ELSE '' END || repeat('.', i % 60) FROM generate_series(1, 70000) i;
DELETE FROM big.events WHERE id BETWEEN 30000 AND 36000;
CREATE TABLE big.events_no_key (i integer, t text);
INSERT INTO big.events_no_key SELECT i, md5(i::text) FROM generate_series(1, 60000) i;
-- values out of line: stored plainly, compressed, and one of 20 MB
CREATE TABLE big.toasted (id integer PRIMARY KEY, plain text, packed text COMPRESSION pglz, bin bytea);
ALTER TABLE big.toasted ALTER COLUMN plain SET STORAGE EXTERNAL;
INSERT INTO big.toasted SELECT i, (SELECT string_agg(md5((i * 100000 + k)::text), E'\n') FROM generate_series(1, 8000) k), repeat('packed ' || i || E' \\ ', 20000), decode(repeat(md5(i::text), 3000), 'hex') FROM generate_series(1, 40) i;
INSERT INTO big.toasted VALUES (41, '', repeat('0123456789', 2000000), ''), (42, NULL, NULL, NULL);
CREATE TABLE big.hostile (id integer, t text);
INSERT INTO big.hostile SELECT i, (ARRAY['\.', E'\\.\n', E'\n\\.\n', '\N', '', NULL, E'\\', E'\\\\', E'a\\\n', E'\t', E'\r', E'\r\n', E'\n', '"', '""', '''', ',', ' ', 'żółć 🐘', E'\b\f\v', E'x\\tb', E'\\x41', E'\\101', 'COPY x FROM stdin;', E'\\.\r', E'end\\'])[1 + i % 26] FROM generate_series(1, 5200) i;
COMMIT;

BEGIN;
DO $$
DECLARE n text;
BEGIN
  FOR i IN 1..500 LOOP
    n := 't_' || lpad(i::text, 3, '0');
    EXECUTE format('CREATE TABLE tiny.%I (id integer%s, v integer)', n, CASE WHEN i % 5 = 0 THEN ' PRIMARY KEY' END);
    IF i % 10 <> 0 THEN EXECUTE format('INSERT INTO tiny.%I SELECT g, g * %s FROM generate_series(1, %s) g', n, i, i % 7); END IF;
  END LOOP;
END $$;
COMMIT;

-- ---------------------------------------------------------------------------------------------- large objects
BEGIN;
SELECT lo_from_bytea(424201, convert_to(E'small \\ żółć', 'UTF8')), lo_from_bytea(424202, ''), lo_create(424203),
       lo_from_bytea(424204, (SELECT decode(string_agg(md5(i::text), ''), 'hex') FROM generate_series(1, 196608) i)),
       lo_from_bytea(424205, '\x00ff0a0d5c2e'), lo_from_bytea(4294967294, '\x01') \g /dev/null
SELECT lo_put(424203, 1000000, '\x0102') \g /dev/null
ALTER LARGE OBJECT 424201 OWNER TO nasty_owner;
ALTER LARGE OBJECT 424205 OWNER TO "Nasty Reader";
GRANT SELECT ON LARGE OBJECT 424201 TO "Nasty Reader", PUBLIC;
GRANT SELECT, UPDATE ON LARGE OBJECT 424204 TO nasty_login WITH GRANT OPTION;
COMMENT ON LARGE OBJECT 424201 IS E'large object''s comment\n\\ 🐘';
COMMENT ON LARGE OBJECT 424204 IS 'three megabytes';
CREATE TABLE app.lo_refs (id integer PRIMARY KEY, lo oid);
INSERT INTO app.lo_refs VALUES (1, 424201), (2, 424204), (3, 4294967294);
COMMIT;

-- ---------------------------------------------------------------------------------------------- publications, subscription, database
BEGIN;
CREATE PUBLICATION nasty_tables FOR TABLE app.by_default (s, note, "Big Serial") WHERE (s > 5 AND note <> '\N'), TABLE ONLY inh.named, TABLE parts.events WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION "nasty's everything" FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION nasty_schema FOR TABLES IN SCHEMA "we ird", tiny WITH (publish = 'insert');
CREATE PUBLICATION nasty_nothing;
COMMENT ON PUBLICATION nasty_nothing IS 'publishes nothing';
ALTER PUBLICATION nasty_nothing OWNER TO nasty_owner;
CREATE SUBSCRIPTION nasty_sub CONNECTION 'host=nowhere.invalid dbname=''it\''s'' password=secret' PUBLICATION "some pub", other WITH (connect = false, slot_name = NONE, enabled = false, create_slot = false, synchronous_commit = 'off');
COMMENT ON SUBSCRIPTION nasty_sub IS 'connects to nowhere';

CREATE EVENT TRIGGER nasty_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE FUNCTION') EXECUTE FUNCTION code.evt();
CREATE EVENT TRIGGER "nasty drop" ON sql_drop EXECUTE FUNCTION code.evt();
ALTER EVENT TRIGGER "nasty drop" DISABLE;
ALTER EVENT TRIGGER nasty_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER nasty_ddl IS 'harmless';

DO $$
DECLARE db text := quote_ident(current_database());
BEGIN
  EXECUTE format('ALTER DATABASE %s SET search_path = "we ird", "$user", app, public', db);
  EXECUTE format('ALTER DATABASE %s SET work_mem = ''7MB''', db);
  EXECUTE format('ALTER DATABASE %s SET datestyle = ''SQL, DMY''', db);
  EXECUTE format('ALTER DATABASE %s SET intervalstyle = ''iso_8601''', db);
  EXECUTE format('ALTER DATABASE %s SET extra_float_digits = 0', db);
  EXECUTE format('ALTER DATABASE %s SET "nasty.custom" = %L', db, 'it''s \ "odd"');
  EXECUTE format('ALTER ROLE nasty_login IN DATABASE %s SET search_path = priv, "a.b$c*d?e\f""g''h[i](j)|k"', db);
  EXECUTE format('COMMENT ON DATABASE %s IS %L', db, E'nasty''s \\ database\nwith two lines');
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %s FROM PUBLIC', db);
  EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %s TO nasty_owner WITH GRANT OPTION', db);
END $$;
\if :pins
DO $$
DECLARE db text := quote_ident(current_database());
BEGIN
  EXECUTE format('ALTER DATABASE %s SET timezone = ''Asia/Kathmandu''', db);
  EXECUTE format('ALTER DATABASE %s SET bytea_output = ''escape''', db);
END $$;
\endif
COMMIT;
ANALYZE big.events, big.toasted, parts.events, inh.named, cons.tree;
