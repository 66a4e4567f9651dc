-- Ratings of the two reviewers, for ratings v2-mysql.
CREATE DATABASE IF NOT EXISTS test;
USE test;
CREATE TABLE IF NOT EXISTS ratings (
  ReviewID INT NOT NULL,
  Rating INT NOT NULL,
  PRIMARY KEY (ReviewID)
);
REPLACE INTO ratings (ReviewID, Rating) VALUES (1, 5), (2, 4);
