-- A small car rental, for the demo: about 100,000 rows, the same in every run.
--
--   psql -X -q -v ON_ERROR_STOP=1 -d EMPTY_DATABASE -f rental.sql

SET timezone = 'UTC';
SET client_min_messages = warning;
BEGIN;
SELECT setseed(0.2026) \g /dev/null

CREATE SCHEMA rental;
SET LOCAL search_path = rental;

CREATE TYPE reservation_status AS ENUM ('booked', 'picked up', 'returned', 'cancelled');
CREATE SEQUENCE invoice_number START WITH 100001;

CREATE TABLE customers (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name        text NOT NULL,
  email       text NOT NULL UNIQUE CHECK (email LIKE '%_@_%'),
  phone       text NOT NULL,
  city        text NOT NULL,
  licence_no  text NOT NULL UNIQUE,
  born_on     date NOT NULL,
  created_at  timestamptz NOT NULL
);

CREATE TABLE vehicles (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plate       text NOT NULL UNIQUE,
  make        text NOT NULL,
  model       text NOT NULL,
  year        integer NOT NULL CHECK (year BETWEEN 2015 AND 2026),
  daily_rate  numeric(8,2) NOT NULL CHECK (daily_rate > 0),
  odometer_km integer NOT NULL DEFAULT 0 CHECK (odometer_km >= 0)
);

CREATE TABLE reservations (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers,
  vehicle_id  bigint NOT NULL REFERENCES vehicles,
  starts_on   date NOT NULL,
  ends_on     date NOT NULL,
  days        integer GENERATED ALWAYS AS (ends_on - starts_on) STORED,
  status      reservation_status NOT NULL DEFAULT 'booked',
  total       numeric(10,2) NOT NULL CHECK (total > 0),
  changed_at  timestamptz NOT NULL,
  CHECK (ends_on > starts_on)
);

CREATE TABLE payments (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reservation_id bigint NOT NULL REFERENCES reservations ON DELETE CASCADE,
  invoice        bigint NOT NULL UNIQUE DEFAULT nextval('invoice_number'),
  method         text NOT NULL CHECK (method IN ('card', 'cash', 'transfer')),
  amount         numeric(10,2) NOT NULL CHECK (amount <> 0),
  paid_at        timestamptz NOT NULL,
  note           text
);
ALTER SEQUENCE invoice_number OWNED BY payments.invoice;

INSERT INTO customers (name, email, phone, city, licence_no, born_on, created_at)
SELECT first || ' ' || last, lower(translate(first || '.' || last, 'łóęąśżźćńŁŚŻ', 'loeaszzcnLSZ')) || i || '@example.' || (ARRAY['com', 'org', 'net'])[1 + i % 3],
       '+48 ' || (500 + i % 300) || ' ' || lpad((i * 7919 % 1000)::text, 3, '0') || ' ' || lpad((i * 104729 % 1000)::text, 3, '0'),
       (ARRAY['Warszawa', 'Kraków', 'Gdańsk', 'Wrocław', 'Poznań', 'Łódź', 'Lublin'])[1 + floor(random() * 7)::int],
       lpad((i * 31337 % 100000)::text, 5, '0') || '/' || (10 + i % 15) || '/' || lpad(i::text, 5, '0'),
       date '1950-01-01' + floor(random() * 20000)::int,
       timestamptz '2022-01-01 08:00:00+00' + i * interval '97 minutes'
FROM (SELECT i,
        (ARRAY['Anna', 'Jan', 'Maria', 'Piotr', 'Zofia', 'Tomasz', 'Ewa', 'Paweł', 'Łucja', 'Michał', 'Olga', 'Adam', 'Helen', 'James', 'Sofía', 'Noah'])[1 + floor(random() * 16)::int] AS first,
        (ARRAY['Nowak', 'Kowalska', 'Wiśniewski', 'Wójcik', 'Zając', 'Lewandowska', 'Dąbrowski', 'Żak', 'Król', 'Mazur', 'Smith', 'O''Brien', 'Müller', 'García', 'Jones', 'Pawlak'])[1 + floor(random() * 16)::int] AS last
      FROM generate_series(1, 12000) i) people;

INSERT INTO vehicles (plate, make, model, year, daily_rate, odometer_km)
SELECT (ARRAY['WA', 'KR', 'GD', 'DW', 'PO'])[1 + i % 5] || ' ' || lpad((i * 7919 % 100000)::text, 5, '0'),
       split_part(car, '|', 1), split_part(car, '|', 2), 2018 + i % 9, split_part(car, '|', 3)::numeric + i % 9 * 2.50, floor(random() * 120000)::int
FROM (SELECT i, (ARRAY['Toyota|Yaris|89', 'Toyota|Corolla|119', 'Škoda|Octavia|129', 'Škoda|Fabia|95', 'Volkswagen|Golf|125', 'Ford|Transit|199', 'BMW|320i|279', 'Tesla|Model 3|319', 'Fiat|500|79', 'Kia|Sportage|169'])[1 + floor(random() * 10)::int] AS car
      FROM generate_series(1, 800) i) cars;

-- a vehicle is let for 1 to 9 days in every 20, so that no two reservations of it overlap
INSERT INTO reservations (customer_id, vehicle_id, starts_on, ends_on, status, total, changed_at)
SELECT 1 + floor(random() * 12000)::int, v.id, starts_on, starts_on + length,
       CASE WHEN chance < 0.07 THEN 'cancelled' WHEN starts_on + length < date '2026-06-01' THEN 'returned' WHEN starts_on < date '2026-06-01' THEN 'picked up' ELSE 'booked' END::reservation_status,
       v.daily_rate * length, starts_on::timestamptz - interval '1 day' * floor(chance * 40)
FROM (SELECT slot, 1 + (slot - 1) % 800 AS vehicle, date '2023-06-01' + (slot - 1) / 800 * 20 + floor(random() * 10)::int AS starts_on, 1 + floor(random() * 9)::int AS length, random() AS chance
      FROM generate_series(1, 46000) slot) s
JOIN vehicles v ON v.id = s.vehicle ORDER BY slot;

INSERT INTO payments (reservation_id, method, amount, paid_at, note)
SELECT id, (ARRAY['card', 'card', 'card', 'transfer', 'cash'])[1 + id % 5], total, changed_at + interval '1 minute' * (id % 600), CASE WHEN id % 50 = 0 THEN 'paid at the counter' END
FROM reservations WHERE status <> 'cancelled' AND NOT (status = 'booked' AND id % 2 = 0) ORDER BY id;
INSERT INTO payments (reservation_id, method, amount, paid_at, note)
SELECT id, 'card', -20.00, ends_on::timestamptz + interval '10 hours', 'deposit returned' FROM reservations WHERE status = 'returned' AND id % 40 = 0 ORDER BY id;

CREATE INDEX reservations_customer ON reservations (customer_id);
CREATE INDEX reservations_vehicle ON reservations (vehicle_id, starts_on);
CREATE INDEX reservations_open ON reservations (starts_on) WHERE status IN ('booked', 'picked up');
CREATE INDEX payments_reservation ON payments (reservation_id) INCLUDE (amount);
CREATE INDEX customers_name ON customers (lower(name));

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER reservations_touch BEFORE UPDATE ON reservations FOR EACH ROW EXECUTE FUNCTION rental.touch();

CREATE VIEW open_balances AS
SELECT r.id AS reservation, c.name AS customer, v.plate, r.status, r.total, coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS paid
FROM reservations r JOIN customers c ON c.id = r.customer_id JOIN vehicles v ON v.id = r.vehicle_id LEFT JOIN payments p ON p.reservation_id = r.id
WHERE r.status <> 'cancelled'
GROUP BY r.id, c.name, v.plate
HAVING coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) <> r.total;

COMMENT ON TABLE reservations IS 'a customer''s claim on a vehicle from starts_on up to, not including, ends_on';
COMMIT;
ANALYZE;
