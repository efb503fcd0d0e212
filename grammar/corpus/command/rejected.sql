;
--! Query was empty

/* only a comment */
--! Query was empty

-- only a comment
--! Query was empty

/*M!999999\- enable the sandbox mode */
--! Query was empty

SELECT $$
--! syntax: near '$$' at line 1
