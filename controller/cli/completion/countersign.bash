# bash completion for countersign: `countersign completion bash` prints this; what there is to complete says the program itself.

_countersign() {
    local line=${COMP_LINE:0:COMP_POINT} raw=${COMP_WORDS[COMP_CWORD]} word words=() lead i candidate
    COMPREPLY=()

    # bash breaks words at = and :, which belong to ours: what no blank stands before goes on with the word before.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ -n $word && $line == "$word"* || -z $word && -z $line ]] && ((${#words[@]} > 0)); then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${line#*"$word"}
        # The blank behind the last word tells a new, empty one from the end of the old one.
        [[ $i -eq $((COMP_CWORD - 1)) && -z ${COMP_WORDS[COMP_CWORD]} ]] || [[ $line != [[:blank:]]* ]] ||
            line=" ${line#"${line%%[![:blank:]]*}"}"
    done

    for i in "${!words[@]}"; do
        word=${words[i]//\\/}
        word=${word#[\"\']}
        words[i]=${word%[\"\']}
    done
    word=${raw//\\/}
    word=${word#[\"\']}
    [[ $word != [=:] ]] || word=
    lead=${words[-1]%"$word"}

    while IFS= read -r candidate; do
        case $candidate in
        :files)
            compopt -o filenames 2>/dev/null
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$word")
            ;;
        :dirs)
            compopt -o filenames 2>/dev/null
            mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$word")
            ;;
        *)
            candidate=${candidate%%$'\t'*}
            candidate=${candidate#"$lead"}
            # Inside quotes a name must not end them, nor be run: what is no plain name is left out there.
            if [[ $raw != [\"\']* ]]; then
                printf -v candidate %q "$candidate"
            elif [[ $candidate == *[^[:alnum:]\ ._@:/+=,-]* ]]; then
                continue
            fi
            COMPREPLY+=("$candidate")
            ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete "${words[@]:1}" 2>/dev/null)
}

complete -F _countersign countersign
