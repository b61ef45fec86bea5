-- What was decided about the client of a session (JSON), such as until when it is let in.
ALTER TABLE session ADD COLUMN admission TEXT;
