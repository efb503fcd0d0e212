//! What a statement can be refused or fail with, in MySQL's codes and wording.

/// Why a statement was refused or failed, each with MySQL's error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// 1048
    #[error("Column '{0}' cannot be null")]
    NullColumn(String),
    /// 1046
    #[error("No database selected")]
    NoDatabase,
    /// 1049
    #[error("Unknown database '{0}'")]
    UnknownDatabase(String),
    /// 1007
    #[error("Can't create database '{0}'; database exists")]
    DatabaseExists(String),
    /// 1050
    #[error("Table '{0}' already exists")]
    TableExists(String),
    /// 1051
    #[error("Unknown table '{0}'")]
    UnknownTable(String),
    /// 1052
    #[error("Column '{column}' in {clause} is ambiguous")]
    Ambiguous {
        /// The column.
        column: String,
        /// Where it was named.
        clause: &'static str,
    },
    /// 1054
    #[error("Unknown column '{column}' in '{clause}'")]
    UnknownColumn {
        /// The column as written.
        column: String,
        /// Where it was named.
        clause: &'static str,
    },
    /// 1055
    #[error(
        "Expression #{0} of SELECT list is not in GROUP BY clause and contains nonaggregated \
         column which is not functionally dependent on columns in GROUP BY clause; this is \
         incompatible with sql_mode=only_full_group_by"
    )]
    NotGrouped(usize),
    /// 1056
    #[error("Can't group on '{0}'")]
    GroupOnAggregate(String),
    /// 1060
    #[error("Duplicate column name '{0}'")]
    DuplicateColumn(String),
    /// 1061
    #[error("Duplicate key name '{0}'")]
    DuplicateKeyName(String),
    /// 1062
    #[error("Duplicate entry '{entry}' for key '{key}'")]
    DuplicateEntry {
        /// The values, joined by dashes.
        entry: String,
        /// `table.KEY`
        key: String,
    },
    /// 1064
    #[error(
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL \
         server version for the right syntax to use near '{near}' at line {line}"
    )]
    Syntax {
        /// The text from where it was not understood.
        near: String,
        /// Its line, from 1.
        line: u64,
    },
    /// 1065
    #[error("Query was empty")]
    Empty,
    /// 1066
    #[error("Not unique table/alias: '{0}'")]
    DuplicateAlias(String),
    /// 1067
    #[error("Invalid default value for '{0}'")]
    InvalidDefault(String),
    /// 1068
    #[error("Multiple primary key defined")]
    MultiplePrimaryKeys,
    /// 1071
    #[error("Specified key was too long; max key length is 3072 bytes")]
    KeyTooLong,
    /// 1072
    #[error("Key column '{0}' doesn't exist in table")]
    KeyColumnMissing(String),
    /// 1074
    #[error("Column length too big for column '{column}' (max = {max}); use BLOB or TEXT instead")]
    LengthTooBig {
        /// The column.
        column: String,
        /// What MySQL allows.
        max: u32,
    },
    /// 1075
    #[error(
        "Incorrect table definition; there can be only one auto column and it must be defined as \
         a key"
    )]
    WrongAutoKey,
    /// 1090
    #[error("You can't delete all columns with ALTER TABLE; use DROP TABLE instead")]
    CannotRemoveAllColumns,
    /// 1091
    #[error("Can't DROP '{0}'; check that column/key exists")]
    CannotDrop(String),
    /// 1093
    #[error("You can't specify target table '{0}' for update in FROM clause")]
    TargetInFrom(String),
    /// 1101
    #[error("BLOB, TEXT, GEOMETRY or JSON column '{0}' can't have a default value")]
    BlobDefault(String),
    /// 1110
    #[error("Column '{0}' specified twice")]
    ColumnTwice(String),
    /// 1111
    #[error("Invalid use of group function")]
    InvalidGroupFunction,
    /// 1113
    #[error("A table must have at least 1 column")]
    NoColumns,
    /// 1115
    #[error("Unknown character set: '{0}'")]
    UnknownCharset(String),
    /// 1136
    #[error("Column count doesn't match value count at row {0}")]
    ValueCount(u64),
    /// 1138
    #[error("Invalid use of NULL value")]
    InvalidNull,
    /// 1140
    #[error(
        "In aggregated query without GROUP BY, expression #{0} of SELECT list contains \
         nonaggregated column; this is incompatible with sql_mode=only_full_group_by"
    )]
    MixedAggregates(usize),
    /// 1146
    #[error("Table '{0}' doesn't exist")]
    NoSuchTable(String),
    /// 1166
    #[error("Incorrect column name '{0}'")]
    WrongColumnName(String),
    /// 1167
    #[error("The used storage engine can't index column '{0}'")]
    CannotIndex(String),
    /// 1170
    #[error("BLOB/TEXT column '{0}' used in key specification without a key length")]
    BlobKeyWithoutLength(String),
    /// 1171
    #[error(
        "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead"
    )]
    PrimaryKeyNull,
    /// 1176
    #[error("Key '{key}' doesn't exist in table '{table}'")]
    NoSuchKey {
        /// The key.
        key: String,
        /// The table.
        table: String,
    },
    /// 1193
    #[error("Unknown system variable '{0}'")]
    UnknownVariable(String),
    /// 1215
    #[error("Cannot add foreign key constraint")]
    CannotAddForeignKey,
    /// 1217
    #[error("Cannot delete or update a parent row: a foreign key constraint fails")]
    ParentTable,
    /// 1221
    #[error("Incorrect usage of {0}")]
    WrongUsage(&'static str),
    /// 1222
    #[error("The used SELECT statements have a different number of columns")]
    UnionColumns,
    /// 1231
    #[error("Variable '{name}' can't be set to the value of '{value}'")]
    WrongVariableValue {
        /// The variable.
        name: String,
        /// The value.
        value: String,
    },
    /// 1235
    #[error("This version of MySQL doesn't yet support '{0}'")]
    Unsupported(String),
    /// 1241
    #[error("Operand should contain {0} column(s)")]
    OperandColumns(usize),
    /// 1242
    #[error("Subquery returns more than 1 row")]
    SubqueryRows,
    /// 1248
    #[error("Every derived table must have its own alias")]
    DerivedAlias,
    /// 1253
    #[error("COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'")]
    CollationMismatch {
        /// The collation.
        collation: String,
        /// The character set.
        charset: String,
    },
    /// 1264
    #[error("Out of range value for column '{column}' at row {row}")]
    OutOfRange {
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
    },
    /// 1265
    #[error("Data truncated for column '{column}' at row {row}")]
    Truncated {
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
    },
    /// 1267
    #[error("Illegal mix of collations for operation '{0}'")]
    MixedCollations(String),
    /// 1273
    #[error("Unknown collation: '{0}'")]
    UnknownCollation(String),
    /// 1280
    #[error("Incorrect index name '{0}'")]
    WrongIndexName(String),
    /// 1291
    #[error("Column '{0}' has duplicated value in ENUM or SET")]
    DuplicateMember(String),
    /// 1292
    #[error("Truncated incorrect {kind} value: '{value}'")]
    TruncatedValue {
        /// What it should have been.
        kind: &'static str,
        /// What it was.
        value: String,
    },
    /// 1292
    #[error("Incorrect {kind} value: '{value}' for column '{column}' at row {row}")]
    WrongTime {
        /// `date`, `time` or `datetime`.
        kind: &'static str,
        /// What it was.
        value: String,
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
    },
    /// 1294
    #[error("Invalid ON UPDATE clause for '{0}' column")]
    InvalidOnUpdate(String),
    /// 1305
    #[error("FUNCTION {0} does not exist")]
    NoSuchFunction(String),
    /// 1305
    #[error("SAVEPOINT {0} does not exist")]
    NoSuchSavepoint(String),
    /// 1317
    #[error("Query execution was interrupted")]
    Interrupted,
    /// 1347
    #[error("'{0}' is not VIEW")]
    NotView(String),
    /// 1350
    #[error("View's SELECT contains a '{0}' clause")]
    ViewClause(&'static str),
    /// 1353
    #[error(
        "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts"
    )]
    ViewColumns,
    /// 1364
    #[error("Field '{0}' doesn't have a default value")]
    NoDefault(String),
    /// 1365
    #[error("Division by 0")]
    DivisionByZero,
    /// 1366
    #[error("Incorrect {kind} value: '{value}' for column '{column}' at row {row}")]
    WrongValue {
        /// `integer`, `decimal`, `double` or `string`.
        kind: &'static str,
        /// What it was.
        value: String,
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
    },
    /// 1396 and the like that reach the backend: not ours to do.
    #[error("{0}")]
    Denied(String),
    /// 1406
    #[error("Data too long for column '{column}' at row {row}")]
    TooLong {
        /// The column.
        column: String,
        /// The row, from 1.
        row: u64,
    },
    /// 1411
    #[error("Incorrect {kind} value: '{value}' for function {function}")]
    WrongArgument {
        /// What it should have been.
        kind: &'static str,
        /// What it was.
        value: String,
        /// The function.
        function: String,
    },
    /// 1425
    #[error("Too big scale {scale} specified for column '{column}'. Maximum is 30.")]
    TooBigScale {
        /// What was asked for.
        scale: u64,
        /// The column.
        column: String,
    },
    /// 1426
    #[error("Too-big precision {precision} specified for '{column}'. Maximum is {max}.")]
    TooBigPrecision {
        /// What was asked for.
        precision: u64,
        /// The column.
        column: String,
        /// What MySQL allows.
        max: u64,
    },
    /// 1427
    #[error("For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{0}').")]
    ScaleOverPrecision(String),
    /// 1439
    #[error("Display width out of range for column '{0}' (max = 255)")]
    DisplayWidth(String),
    /// 1451
    #[error("Cannot delete or update a parent row: a foreign key constraint fails ({0})")]
    ParentRow(String),
    /// 1452
    #[error("Cannot add or update a child row: a foreign key constraint fails ({0})")]
    ChildRow(String),
    /// 1467
    #[error("Failed to read auto-increment value from storage engine")]
    AutoIncrement,
    /// 1525
    #[error("Incorrect {kind} value: '{value}'")]
    WrongConstant {
        /// `DATE`, `TIME` or `DATETIME`.
        kind: &'static str,
        /// What it was.
        value: String,
    },
    /// 1582
    #[error("Incorrect parameter count in the call to native function '{0}'")]
    ParameterCount(String),
    /// 1690
    #[error("{kind} value is out of range in '{expression}'")]
    Overflow {
        /// `BIGINT`, `BIGINT UNSIGNED`, `DOUBLE` or `DECIMAL`.
        kind: &'static str,
        /// What was computed.
        expression: String,
    },
    /// 1701
    #[error("Cannot truncate a table referenced in a foreign key constraint ({0})")]
    TruncateParent(String),
    /// 1822
    #[error(
        "Failed to add the foreign key constraint. Missing index for constraint '{constraint}' in \
         the referenced table '{table}'"
    )]
    NoParentIndex {
        /// The constraint.
        constraint: String,
        /// The parent.
        table: String,
    },
    /// 6125
    #[error(
        "Failed to add the foreign key constraint. Missing unique key for constraint \
         '{constraint}' in the referenced table '{table}'"
    )]
    NoParentKey {
        /// The constraint.
        constraint: String,
        /// The parent.
        table: String,
    },
    /// 1824
    #[error("Failed to open the referenced table '{0}'")]
    NoParentTable(String),
    /// 1826
    #[error("Duplicate foreign key constraint name '{0}'")]
    DuplicateForeignKey(String),
    /// 1828
    #[error("Cannot drop column '{column}': needed in a foreign key constraint '{constraint}'")]
    ColumnInForeignKey {
        /// The column.
        column: String,
        /// The constraint.
        constraint: String,
    },
    /// 1553
    #[error("Cannot drop index '{0}': needed in a foreign key constraint")]
    IndexInForeignKey(String),
    /// 3105
    #[error(
        "The value specified for generated column '{column}' in table '{table}' is not allowed."
    )]
    GeneratedValue {
        /// The column.
        column: String,
        /// The table.
        table: String,
    },
    /// 3107
    #[error("Generated column can refer only to generated columns defined prior to it.")]
    GeneratedOrder,
    /// 3730
    #[error(
        "Cannot drop table '{table}' referenced by a foreign key constraint '{constraint}' on table '{child}'."
    )]
    DropParent {
        /// The parent.
        table: String,
        /// The constraint.
        constraint: String,
        /// Whose constraint it is.
        child: String,
    },
    /// 3140
    #[error("Invalid JSON text: {message} at position {position} in value for column '{column}'.")]
    InvalidJson {
        /// What is wrong.
        message: String,
        /// Where.
        position: usize,
        /// `table.column`
        column: String,
    },
    /// 3141
    #[error("Invalid JSON text in argument {argument} to function {function}: {message}")]
    InvalidJsonArgument {
        /// Which argument, from 1.
        argument: usize,
        /// The function.
        function: String,
        /// What is wrong.
        message: String,
    },
    /// 3143
    #[error("Invalid JSON path expression. The error is around character position {0}.")]
    InvalidJsonPath(usize),
    /// 3819
    #[error("Check constraint '{0}' is violated.")]
    CheckViolated(String),
    /// 3820
    #[error("Check constraint '{check}' refers to non-existing column '{column}'.")]
    CheckColumn {
        /// The constraint.
        check: String,
        /// The column.
        column: String,
    },
    /// 3821
    #[error("Check constraint '{0}' is not found in the table.")]
    NoSuchCheck(String),
    /// 3822
    #[error("Duplicate check constraint name '{0}'.")]
    DuplicateCheck(String),
    /// 3959
    #[error(
        "Check constraint '{check}' uses column '{column}', hence column cannot be dropped or renamed."
    )]
    ColumnInCheck {
        /// The constraint.
        check: String,
        /// The column.
        column: String,
    },
    /// 3108
    #[error("Column '{0}' has a generated column dependency.")]
    GeneratedDependency(String),
    /// 1705
    #[error(
        "Multi-row statements required more than 'max_binlog_stmt_cache_size' bytes of storage; \
         increase this mysqld variable and try again"
    )]
    StatementTooLarge,
    /// 1105: the store itself failed.
    #[error("{0}")]
    Internal(String),
}

impl Fault {
    /// MySQL's error number.
    #[allow(clippy::too_many_lines, reason = "a table: one line per fault")]
    pub const fn code(&self) -> u16 {
        match self {
            Self::DatabaseExists(_) => 1007,
            Self::NoDatabase => 1046,
            Self::NullColumn(_) => 1048,
            Self::UnknownDatabase(_) => 1049,
            Self::TableExists(_) => 1050,
            Self::UnknownTable(_) => 1051,
            Self::Ambiguous { .. } => 1052,
            Self::UnknownColumn { .. } => 1054,
            Self::NotGrouped(_) => 1055,
            Self::GroupOnAggregate(_) => 1056,
            Self::DuplicateColumn(_) => 1060,
            Self::DuplicateKeyName(_) => 1061,
            Self::DuplicateEntry { .. } => 1062,
            Self::Syntax { .. } => 1064,
            Self::Empty => 1065,
            Self::DuplicateAlias(_) => 1066,
            Self::InvalidDefault(_) => 1067,
            Self::MultiplePrimaryKeys => 1068,
            Self::KeyTooLong => 1071,
            Self::KeyColumnMissing(_) => 1072,
            Self::LengthTooBig { .. } => 1074,
            Self::WrongAutoKey => 1075,
            Self::CannotRemoveAllColumns => 1090,
            Self::CannotDrop(_) => 1091,
            Self::TargetInFrom(_) => 1093,
            Self::BlobDefault(_) => 1101,
            Self::Internal(_) => 1105,
            Self::ColumnTwice(_) => 1110,
            Self::InvalidGroupFunction => 1111,
            Self::NoColumns => 1113,
            Self::UnknownCharset(_) => 1115,
            Self::ValueCount(_) => 1136,
            Self::InvalidNull => 1138,
            Self::MixedAggregates(_) => 1140,
            Self::NoSuchTable(_) => 1146,
            Self::WrongColumnName(_) => 1166,
            Self::CannotIndex(_) => 1167,
            Self::BlobKeyWithoutLength(_) => 1170,
            Self::PrimaryKeyNull => 1171,
            Self::NoSuchKey { .. } => 1176,
            Self::UnknownVariable(_) => 1193,
            Self::CannotAddForeignKey => 1215,
            Self::ParentTable => 1217,
            Self::WrongUsage(_) => 1221,
            Self::UnionColumns => 1222,
            Self::Denied(_) => 1227,
            Self::WrongVariableValue { .. } => 1231,
            Self::Unsupported(_) => 1235,
            Self::OperandColumns(_) => 1241,
            Self::SubqueryRows => 1242,
            Self::DerivedAlias => 1248,
            Self::CollationMismatch { .. } => 1253,
            Self::OutOfRange { .. } => 1264,
            Self::Truncated { .. } => 1265,
            Self::MixedCollations(_) => 1267,
            Self::UnknownCollation(_) => 1273,
            Self::WrongIndexName(_) => 1280,
            Self::DuplicateMember(_) => 1291,
            Self::TruncatedValue { .. } | Self::WrongTime { .. } => 1292,
            Self::InvalidOnUpdate(_) => 1294,
            Self::NoSuchFunction(_) | Self::NoSuchSavepoint(_) => 1305,
            Self::Interrupted => 1317,
            Self::NotView(_) => 1347,
            Self::ViewClause(_) => 1350,
            Self::ViewColumns => 1353,
            Self::NoDefault(_) => 1364,
            Self::DivisionByZero => 1365,
            Self::WrongValue { .. } => 1366,
            Self::TooLong { .. } => 1406,
            Self::WrongArgument { .. } => 1411,
            Self::TooBigScale { .. } => 1425,
            Self::TooBigPrecision { .. } => 1426,
            Self::ScaleOverPrecision(_) => 1427,
            Self::DisplayWidth(_) => 1439,
            Self::ParentRow(_) => 1451,
            Self::ChildRow(_) => 1452,
            Self::AutoIncrement => 1467,
            Self::WrongConstant { .. } => 1525,
            Self::IndexInForeignKey(_) => 1553,
            Self::ParameterCount(_) => 1582,
            Self::Overflow { .. } => 1690,
            Self::TruncateParent(_) => 1701,
            Self::StatementTooLarge => 1705,
            Self::NoParentIndex { .. } => 1822,
            Self::NoParentTable(_) => 1824,
            Self::NoParentKey { .. } => 6125,
            Self::DuplicateForeignKey(_) => 1826,
            Self::ColumnInForeignKey { .. } => 1828,
            Self::GeneratedValue { .. } => 3105,
            Self::GeneratedOrder => 3107,
            Self::GeneratedDependency(_) => 3108,
            Self::InvalidJson { .. } => 3140,
            Self::InvalidJsonArgument { .. } => 3141,
            Self::InvalidJsonPath(_) => 3143,
            Self::DropParent { .. } => 3730,
            Self::CheckViolated(_) => 3819,
            Self::CheckColumn { .. } => 3820,
            Self::NoSuchCheck(_) => 3821,
            Self::DuplicateCheck(_) => 3822,
            Self::ColumnInCheck { .. } => 3959,
        }
    }

    /// The SQLSTATE that MySQL sends with the code.
    pub const fn state(&self) -> &'static str {
        match self.code() {
            1048 | 1052 | 1062 | 1451 | 1452 => "23000",
            1046 => "3D000",
            1049 | 1064 | 1065 | 1068 | 1071 | 1072 | 1074 | 1075 | 1067 | 1056 | 1060 | 1061
            | 1055 | 1066 | 1091 | 1101 | 1110 | 1113 | 1115 | 1140 | 1166 | 1170 | 1171 | 1176
            | 1235 | 1248 | 1253 | 1305 | 1425 | 1426 | 1427 | 1439 | 1582 => "42000",
            1050 => "42S01",
            1051 | 1146 => "42S02",
            1054 => "42S22",
            1136 | 1222 => "21S01",
            1241 | 1242 => "21000",
            1264 | 1690 => "22003",
            1138 => "22004",
            1265 => "01000",
            1292 => "22007",
            1317 => "70100",
            1365 => "22012",
            1406 => "22001",
            3140 | 3141 => "22032",
            _ => "HY000",
        }
    }
}
