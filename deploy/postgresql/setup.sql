-- sudo -u postgres psql --set=password=… --file=deploy/postgresql/setup.sql
\set ON_ERROR_STOP on
CREATE ROLE videoflix LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE videoflix OWNER videoflix ENCODING 'UTF8' TEMPLATE template0;
\connect videoflix
REVOKE ALL ON DATABASE videoflix FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO videoflix;
