;

/* only a comment */

-- only a comment

/*M!999999\- enable the sandbox mode */
