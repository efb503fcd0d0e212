// The cells of go-sql-driver. Usage and output are those of ../python/cells.py.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

var (
	host, port, usersPort, tlsPort, name = os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	password                             = os.Getenv("VSTREAMD_CLIENTS_PASSWORD")
)

const secondsMax = 15

// A session is one connection: what is SET on it must reach the statements behind it.
type session struct{ *sql.Conn }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func same(found, expected any) {
	f, e := fmt.Sprint(found), fmt.Sprint(expected)
	if f != e {
		panic(fmt.Sprintf("%.200s instead of %.200s", f, e))
	}
}

func connect(port, user, password, tls string) session {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", host+":"+port, "commerce"
	config.User, config.Passwd, config.TLSConfig = user, password, tls
	config.MaxAllowedPacket = 1 << 25
	connector, err := mysql.NewConnector(config)
	check(err)
	connection, err := sql.OpenDB(connector).Conn(context.Background())
	check(err)
	return session{connection}
}

func anybody() session { return connect(port, "ann", "", "false") }

func (s session) exec(text string, arguments ...any) {
	_, err := s.ExecContext(context.Background(), text, arguments...)
	check(err)
}

func (s session) query(text string, arguments ...any) *sql.Rows {
	rows, err := s.QueryContext(context.Background(), text, arguments...)
	check(err)
	return rows
}

// The cells of the next row, or the error that ended the rows.
func next(rows *sql.Rows) ([]string, error) {
	if !rows.Next() {
		return nil, rows.Err()
	}
	columns, err := rows.Columns()
	check(err)
	cells, places := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		places[i] = &cells[i]
	}
	check(rows.Scan(places...))
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = "NULL"
		if cell.Valid {
			texts[i] = cell.String
		}
	}
	return texts, nil
}

func (s session) row(text string, arguments ...any) []string {
	rows := s.query(text, arguments...)
	row, err := next(rows)
	check(err)
	check(rows.Close())
	return row
}

func (s session) processes() (ids []string) {
	rows := s.query("SHOW PROCESSLIST")
	for row, err := next(rows); row != nil; row, err = next(rows) {
		check(err)
		ids = append(ids, row[0])
	}
	return ids
}

func login(port, user, tls string) {
	s := connect(port, user, password, tls)
	same(s.row("SELECT USER()"), []string{user + "@" + host})
	check(s.Close())
}

func cached() {
	login(usersPort, name+"_cached", "skip-verify")
	login(usersPort, name+"_cached", "false")
}

// A stream that has shown the row of the copy and one that was written later.
func stream(table string, prepared bool) (writer, reader session, id string, rows *sql.Rows, cancel func()) {
	writer, reader = anybody(), anybody()
	writer.exec("CREATE TABLE " + table + " (id INT PRIMARY KEY, v TEXT)")
	writer.exec("INSERT INTO " + table + " VALUES (1, 'a')")
	id = reader.row("SELECT CONNECTION_ID()")[0]
	reader.exec("SET workload = OLAP")
	patience, cancel := context.WithCancel(context.Background())
	text := "VSTREAM * FROM " + table
	var err error
	if prepared {
		statement, failed := reader.PrepareContext(patience, text)
		check(failed)
		rows, err = statement.QueryContext(patience)
	} else {
		rows, err = reader.QueryContext(patience, text)
	}
	check(err)
	row, err := next(rows)
	check(err)
	same(row, []string{"+", "1", "a"})
	writer.exec("INSERT INTO " + table + " VALUES (2, 'b')")
	row, err = next(rows)
	check(err)
	same(row, []string{"+", "2", "b"})
	return writer, reader, id, rows, cancel
}

// The driver's way to leave, and to cancel, is one: the context, which drops the connection.
func endless(table string, prepared bool) {
	writer, _, id, rows, cancel := stream(table, prepared)
	cancel()
	if _, err := next(rows); !errors.Is(err, context.Canceled) {
		panic(fmt.Sprint("not cancelled: ", err))
	}
	for end := time.Now().Add(secondsMax * time.Second); strings.Contains(fmt.Sprint(writer.processes()), id); {
		if time.Now().After(end) {
			panic("the server did not notice the end")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func limit() {
	s := anybody()
	s.exec("CREATE TABLE limit_" + name + " (id INT PRIMARY KEY)")
	s.exec("INSERT INTO limit_" + name + " VALUES (1), (2), (3)")
	s.exec("SET workload = OLAP")
	rows := s.query("VSTREAM * FROM limit_" + name + " LIMIT 2")
	for _, expected := range [][]string{{"+", "1"}, {"+", "2"}, nil} {
		row, err := next(rows)
		check(err)
		same(row, expected)
	}
	same(s.row("SELECT 42"), []string{"42"})
}

func edges() {
	s := anybody()
	s.exec("CREATE TABLE edges_" + name + " (id INT PRIMARY KEY, v LONGTEXT)")
	for payload := 1<<24 - 2; payload <= 1<<24+1; payload++ {
		head := fmt.Sprintf("INSERT INTO edges_%s VALUES (%d, '", name, payload)
		// What is sent is the command's byte, the text and its end; what comes is four bytes of
		// length and the value.
		length := payload - 1 - len(head) - len("')")
		s.exec(head + strings.Repeat("a", length) + "')")
		more := strings.Repeat("b", payload-4-length)
		value := s.row(fmt.Sprintf("SELECT CONCAT(v, '%s') FROM edges_%s WHERE id = %d", more, name, payload))[0]
		same([]int{len(value), strings.Count(value, "a")}, []int{payload - 4, length})
	}
	s.exec("DROP TABLE edges_" + name)
}

func params() {
	s := anybody()
	s.exec("CREATE TABLE params_" + name + ` (id INT PRIMARY KEY, i BIGINT, u BIGINT UNSIGNED, d DOUBLE,
		n DECIMAL(20,5), s TEXT, b BLOB, x INT, da DATE, dt DATETIME(6), ti TIME(6))`)
	moment := time.Date(2026, 11, 22, 12, 34, 56, 789012000, time.UTC)
	// The driver has no type for decimals, dates alone and times: they are texts.
	s.exec("INSERT INTO params_"+name+" VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		int64(-1<<63), uint64(1<<64-1), 1.5, "12345.67890", `it's "q" \ é`, []byte("\x00\xff'"), nil,
		"2026-11-22", moment, "12:34:56.789")
	shown := []string{
		"-9223372036854775808", "18446744073709551615", "1.5", "12345.67890", `it's "q" \ é`, "00FF27",
		"NULL", "2026-11-22", "2026-11-22 12:34:56.789012", "12:34:56.789000",
	}
	text := "SELECT i, u, d, n, s, HEX(b), x, da, dt, ti FROM params_" + name
	same(s.row(text), shown)
	same(s.row(text+" WHERE id = ?", 1), shown)
}

func kill() {
	writer, reader, id, rows, _ := stream("kill_"+name, false)
	writer.exec("KILL QUERY " + id)
	_, err := next(rows)
	var failure *mysql.MySQLError
	if !errors.As(err, &failure) || failure.Number != 1317 {
		panic(fmt.Sprint("not 1317: ", err))
	}
	same(reader.row("SELECT 42"), []string{"42"})
}

func main() {
	cells := map[string]func(){
		"tls":    func() { login(tlsPort, name+"_tls", "skip-verify") },
		"rsa":    func() { login(usersPort, name+"_rsa", "false") },
		"cached": cached,
		"native": func() { login(usersPort, name+"_native", "false") },
		"plain":  func() { same(anybody().row("SELECT USER()"), []string{"ann@" + host}) },
		"text":   func() { endless("text_"+name, false) },
		"binary": func() { endless("binary_"+name, true) },
		"limit":  limit,
		"edges":  edges,
		"params": params,
		"kill":   kill,
		"cancel": func() { endless("cancel_"+name, false) },
	}
	for _, cell := range os.Args[6:] {
		run(cell, cells[cell])
	}
}

func run(cell string, body func()) {
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Println(cell, "FAIL", strings.Join(strings.Fields(fmt.Sprint(fault)), " "))
		}
	}()
	body()
	fmt.Println(cell, "PASS")
}
