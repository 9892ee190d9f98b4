//! The scripts of the shells: each asks the program.

use super::{COMPLETE_VARIABLE, Shell};

/// bash takes a word apart at its break characters; pieces that nothing stands between are one word for the program.
const BASH: &str = r#"# Completion of NAME for bash: the program says what can stand at a place.
FUNCTION() {
    local line=${COMP_LINE:0:COMP_POINT} words=() piece sign signs= kept= i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        if [[ $i == 0 || $line == [[:space:]]* ]]; then
            line=${line#"${line%%[![:space:]]*}"}
            words+=("")
        fi
        [[ $line == "$piece"* ]] || piece=$line
        words[${#words[@]} - 1]+=$piece
        line=${line#"$piece"}
    done
    for sign in : = @; do
        [[ $COMP_WORDBREAKS != *"$sign"* ]] || signs+=$sign
    done
    piece=${words[${#words[@]} - 1]}
    # In quotes nothing breaks a word.
    [[ $piece != "'"* ]] || signs=
    [[ -z $signs || $piece != *[$signs]* ]] || kept=${piece%"${piece##*[$signs]}"}
    mapfile -t COMPREPLY < <(VARIABLE=bash "${COMP_WORDS[0]}" "${words[@]:1}" 2>/dev/null </dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:,+/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F FUNCTION NAME
"#;

const ZSH: &str = r#"#compdef NAME
# Completion of NAME for zsh: the program says what can stand at a place.
FUNCTION() {
    local -a lines whole whole_about part part_about
    local line word=$PREFIX
    # In quotes a backslash is one.
    [[ -n ${compstate[quote]} ]] || word=${(Q)PREFIX}
    lines=("${(@f)$(VARIABLE=zsh "${(Q)words[1]}" "${(@Q)words[2,CURRENT-1]}" "$word" 2>/dev/null </dev/null)}")
    for line in "${lines[@]}"; do
        [[ -n $line ]] || continue
        word=${line%%$'\t'*}
        line="$word -- ${line#*$'\t'}"
        if [[ $word == *[=:,+/] ]]; then
            part+=("$word")
            part_about+=("${line% -- }")
        else
            whole+=("$word")
            whole_about+=("${line% -- }")
        fi
    done
    (( $#part )) && compadd -l -S '' -d part_about -- "${part[@]}"
    (( $#whole )) && compadd -l -d whole_about -- "${whole[@]}"
    (( $#part + $#whole ))
}
if [[ ${funcstack[1]} == FUNCTION ]]; then
    FUNCTION "$@"
else
    compdef FUNCTION NAME
fi
"#;

const FISH: &str = r#"# Completion of NAME for fish: the program says what can stand at a place.
function FUNCTION
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (string replace -r '^[\'\"]' '' -- (commandline -ct))
    env VARIABLE=fish $program $words $FISHcurrent 2>/dev/null </dev/null
end
complete -c NAME -f -k -a '(FUNCTION)'
"#;

/// The script with which a shell completes the words behind a program.
#[must_use]
pub fn completion_script(shell: Shell, program: &str) -> String {
    let (text, function) = match shell {
        Shell::Bash => (BASH, format!("_{}", program.replace('-', "_"))),
        // The name of its file: zsh calls it by that.
        Shell::Zsh => (ZSH, format!("_{program}")),
        Shell::Fish => (FISH, format!("__complete_{}", program.replace('-', "_"))),
    };
    text.replace("$FISHcurrent", "\"$current\"")
        .replace("VARIABLE", COMPLETE_VARIABLE)
        .replace("FUNCTION", &function)
        .replace("NAME", program)
}
